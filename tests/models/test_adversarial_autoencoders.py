"""Adversarial autoencoders: who minimises what of a batch, labels, parts of the prior."""

import keras
import numpy as np
import pytest
from keras import ops

import kgen
from kgen import backend, networks, priors
from kgen.fields import PartialLabel
from kgen.noise import StepNoise
from tests.contract import arrays, assert_same
from tests.zoo import SHAPE, aae, semi_supervised_aae

IMAGES = np.random.default_rng(0).random((12, *SHAPE), dtype="float32")
LABELS = np.array([0, 1, 2, -1] * 3, "int32")


def evaluated(model, labels=None):
    return model.evaluate(IMAGES, labels, batch_size=12, verbose=0, return_dict=True)


def silence(network):
    """A network that gives 0, whatever it sees."""
    for variable in network.trainable_variables[-2:]:
        variable.assign(np.zeros(variable.shape))


@pytest.mark.one_backend
@pytest.mark.parametrize("make", [aae, semi_supervised_aae])
def test_losses_where_a_discriminator_cannot_tell(make):
    model = make(seed=0)
    adversaries = [model.adversary, getattr(model, "category_adversary", model.adversary)]
    for adversary in adversaries:
        silence(adversary.network)
    model.compile()
    logs = evaluated(model, LABELS)
    assert logs["discriminator_loss"] == pytest.approx(2 * np.log(2.0), rel=1e-6)
    players = len({id(adversary) for adversary in adversaries})
    assert logs["generator_loss"] == pytest.approx(players * np.log(2.0), rel=1e-6)


@pytest.mark.each_backend
def test_the_discriminator_sees_the_same_labels_of_draws_and_of_codes():
    judge = networks.dense_discriminator(2, units=(), condition=PartialLabel(3))
    # It looks at the label alone: the bits of three classes, and that of unknown ones.
    logits = np.array([1.0, -2.0, 0.5, 3.0])
    judge.layers[-1].kernel.assign(np.concatenate([[0.0, 0.0], logits])[:, None])
    model = kgen.AdversarialAutoencoder(
        SHAPE, 2, prior="swiss_roll", prior_classes=3, discriminator=judge, width=4, seed=0
    )
    model.compile()
    logs = evaluated(model, LABELS)
    of_each = logits[LABELS]
    softplus = np.logaddexp(0.0, [of_each, -of_each])
    assert logs["discriminator_loss"] == pytest.approx(softplus.sum(axis=0).mean(), rel=1e-6)
    assert logs["generator_loss"] == pytest.approx(softplus[1].mean(), rel=1e-6)


@pytest.mark.each_backend
def test_each_class_is_held_against_its_own_part():
    """A discriminator of the distance to a class' part of the prior sees none of what is drawn."""
    z, label = keras.Input((2,)), keras.Input((), dtype="int32")
    code = kgen.layers.ConditionCode(PartialLabel(3))(label)
    first = keras.layers.Dense(1, use_bias=False, name="first")(z)
    middle = keras.layers.Dense(1, use_bias=False, name="middle")(code)
    far = keras.layers.ReLU()(keras.layers.Subtract()([first, middle]))
    near = keras.layers.ReLU()(keras.layers.Subtract()([middle, first]))
    judge = keras.Model([z, label], keras.layers.Add()([far, near]))
    judge.get_layer("first").kernel.assign([[1.0], [0.0]])
    judge.get_layer("middle").kernel.assign([[-2 / 3], [0.0], [2 / 3], [0.0]])
    model = kgen.AdversarialAutoencoder(
        SHAPE, 2, prior="uniform", prior_classes=3, discriminator=judge, width=4, seed=0
    )
    for labels, farthest in ((LABELS, 1.0), (LABELS[LABELS >= 0], 1 / 3)):
        classes = ops.convert_to_tensor(np.resize(labels, 600))
        noise = StepNoise(keras.random.SeedGenerator(0).next())
        drawn = model.prior.draw_of(noise, classes, 3)
        distance = ops.convert_to_numpy(model.adversary.judge(drawn, classes)[0])
        assert 0.9 * farthest < distance.max() < farthest + 1e-6


@pytest.mark.each_backend
def test_known_labels_alone_count():
    model = semi_supervised_aae(seed=0)
    model.compile()
    outputs = ops.convert_to_numpy(model.encoder(IMAGES))[:, 2:].astype("float64")
    log_p = outputs - np.logaddexp.reduce(outputs, axis=1, keepdims=True)
    known = LABELS >= 0
    nll = -log_p[known, LABELS[known]]
    logs = evaluated(model, LABELS)
    assert logs["classification_loss"] == pytest.approx(nll.mean(), rel=1e-5)
    right = (log_p.argmax(axis=1) == LABELS)[known]
    assert logs["classification_accuracy"] == pytest.approx(right.mean(), rel=1e-6)
    np.testing.assert_array_equal(model.classify(IMAGES), log_p.argmax(axis=1))
    x, y = (ops.convert_to_tensor(each) for each in (IMAGES, LABELS))
    loss = float(ops.convert_to_numpy(model.classification_loss(x, y, training=False)))
    assert loss == pytest.approx(nll.mean(), rel=1e-5)


@pytest.mark.each_backend
def test_where_no_label_is_known_the_classifier_learns_nothing():
    model = semi_supervised_aae(seed=0)
    still = {player: keras.optimizers.SGD(0.0) for player in model.players()}
    model.compile(still | {"classifier": keras.optimizers.SGD(1.0)})
    before = arrays(model.encoder.variables)
    model.fit(IMAGES, np.full(12, -1), batch_size=6, verbose=0)
    assert_same(arrays(model.encoder.variables), before, atol=0.0)
    model.fit(IMAGES, LABELS, batch_size=6, verbose=0)
    assert not np.array_equal(arrays(model.encoder.variables)[0], before[0])


def test_codes_of_a_category_beside_a_style():
    model = kgen.SemiSupervisedAAE(SHAPE, 4, categories=3, width=6, seed=0)
    code = model.encode(IMAGES)
    assert code.shape == (12, 7)
    outputs = ops.convert_to_numpy(model.encoder(IMAGES))
    np.testing.assert_allclose(code[:, :4], outputs[:, :4], rtol=1e-6)
    np.testing.assert_allclose(code[:, 4:].sum(axis=1), 1.0, rtol=1e-6)
    z = model.draw_latents(3, classes=[2, -1, 0], seed=0)
    np.testing.assert_array_equal(z[[0, 2], 4:], np.eye(3)[[2, 0]])
    assert z[1, 4:].sum() == 1.0
    np.testing.assert_array_equal(z[:, :4], model.draw_latents(3, seed=0)[:, :4])
    np.testing.assert_array_equal(z[1], model.draw_latents(3, seed=0)[1])


def test_the_embedding_adds_a_head_to_a_style():
    model = semi_supervised_aae(seed=0, head_distance=5.0)
    heads = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]], "float32")
    model.heads.kernel.assign(heads)
    model.compile()
    outputs = ops.convert_to_numpy(model.encoder(IMAGES))
    p = np.exp(outputs[:, 2:]) / np.exp(outputs[:, 2:]).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.encode(IMAGES), p @ heads + outputs[:, :2], rtol=1e-5)
    z = model.draw_latents(2, classes=[1, 1], seed=0) - model.draw_latents(2, classes=0, seed=0)
    np.testing.assert_allclose(z, [[3.0, 4.0]] * 2, rtol=1e-5)
    # Distances 5, 1 and sqrt(18): each pair once.
    expected = 0.0 + 4.0 + (5.0 - np.sqrt(18.0))
    assert evaluated(model, LABELS)["head_penalty"] == pytest.approx(expected, rel=1e-5)


def test_a_network_of_several_players_is_regularised_once_and_has_slots_of_each(monkeypatch):
    encoder = keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Flatten(),
            keras.layers.Dense(
                5, kernel_regularizer=keras.regularizers.L2(0.5), activity_regularizer="l2"
            ),
        ]
    )
    model = kgen.SemiSupervisedAAE(SHAPE, 2, categories=3, width=4, encoder=encoder, seed=0)
    model.compile(run_eagerly=True)
    slots = [model.optimizer[player].variables for player in ("autoencoder", "generator")]
    slots.append(model.optimizer["classifier"].variables)
    kernels = [[v for v in each if v.shape == encoder.layers[-1].kernel.shape] for each in slots]
    assert [len(each) for each in kernels] == [2, 2, 2]  # the moments of Adam
    assert len({id(variable) for each in kernels for variable in each}) == 6
    added = []
    values_and_grads = backend.values_and_grads

    def spied(losses_fn, groups, optimizers):
        def spied_losses():
            losses = losses_fn()
            added.append(float(losses[0]) - float(own[-1]))
            return losses

        return values_and_grads(spied_losses, groups, optimizers)

    own, minimize = [], model.minimize

    def noted(loss_fn, player, *args):
        def noted_loss(*args):
            own.append(loss_fn(*args))
            return own[-1]

        return minimize(noted_loss, player, *args)

    monkeypatch.setattr(backend, "values_and_grads", spied)
    model.minimize = noted
    model.fit(IMAGES, LABELS, batch_size=12, verbose=0)
    of_autoencoder, *of_others = added
    assert of_autoencoder > 0.1 and of_others == [0.0] * 4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: kgen.AdversarialAutoencoder(SHAPE, 2, prior_classes=3, num_classes=3),
            "prior_classes, of which the discriminator sees the labels, or a condition",
        ),
        (
            lambda: kgen.AdversarialAutoencoder(SHAPE, 2, prior="mixture", prior_classes=3),
            "a component for each class",
        ),
        (lambda: kgen.AdversarialAutoencoder(SHAPE, 3, prior="mixture"), "latent_dim=2"),
        (
            lambda: kgen.AdversarialAutoencoder(
                SHAPE, 2, prior_classes=3, discriminator=networks.dense_discriminator(2, (3,))
            ),
            r"discriminator to map \(batch, 2\) and a label to \(batch, 1\)",
        ),
        (
            lambda: aae().fit(IMAGES),
            "labels in 0..2, -1 where a label is not known. Received: no labels",
        ),
        (lambda: aae().fit(IMAGES, LABELS + 1), r"labels in -1..2. Received: labels in 0..3"),
        (
            lambda: kgen.AdversarialAutoencoder(SHAPE, 2, width=4).draw_latents(2, classes=[0, 1]),
            "no classes without prior_classes",
        ),
        (
            lambda: kgen.SemiSupervisedAAE(SHAPE, 2, num_classes=3),
            "no num_classes, as the code has categories",
        ),
        (lambda: kgen.SemiSupervisedAAE(SHAPE, 2, categories=1), "at least 2"),
        (
            lambda: kgen.data.few_labels(IMAGES, LABELS, 5),
            "at least 5 images of each class. Received: 3 of class -1",
        ),
        (lambda: kgen.data.few_labels(IMAGES, LABELS, 1, share=1.0), "above 0 and below 1"),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_few_labels_are_balanced_and_their_images_come_without_them_too():
    labels = np.arange(12) % 3
    images, known = kgen.data.few_labels(IMAGES, labels, per_class=2, share=0.5, seed=1)
    assert len(images) == 24
    np.testing.assert_array_equal(images[:12], IMAGES)
    assert np.all(known[:12] == -1)
    rows = [int(np.flatnonzero((IMAGES == image).all(axis=(1, 2, 3)))[0]) for image in images[12:]]
    np.testing.assert_array_equal(labels[rows], known[12:])
    assert len(set(rows)) == 6 and np.bincount(known[12:]).tolist() == [4, 4, 4]
    others = {kgen.data.few_labels(IMAGES, labels, 2, seed=s)[0].tobytes() for s in range(8)}
    assert len(others) > 1
    again, _ = kgen.data.few_labels(IMAGES, labels, per_class=2, share=0.5, seed=1)
    np.testing.assert_array_equal(images, again)


def test_the_prior_comes_back_with_the_model(tmp_path):
    model = aae(seed=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(again.prior, priors.Mixture) and again.prior.components == 3
    np.testing.assert_array_equal(
        again.draw_latents(3, classes=[0, 1, -1], seed=0),
        model.draw_latents(3, classes=[0, 1, -1], seed=0),
    )

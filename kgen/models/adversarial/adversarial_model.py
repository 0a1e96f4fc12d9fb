"""The family of models whose generator is trained by a network that judges its images."""

import keras
from keras import ops

from kgen import priors
from kgen.checks import flag, whole_number
from kgen.layers.spectral_normalization import spectral_layers
from kgen.models import games, output_range
from kgen.models.adversary import R1, Adversary
from kgen.models.average import Average, without_average
from kgen.models.image_model import preset_dtype
from kgen.models.kept import is_rebuilt
from kgen.models.latent_model import LatentModel, SamplesPrior
from kgen.models.network_check import check_network, symbolic_inputs
from kgen.models.penalties import as_penalties
from kgen.models.scalar import ScalarOf
from kgen.noise import SeededNoise
from kgen.seeds import seed_words, seeds_of
from kgen.warn import warn


class AdversarialModel(SamplesPrior, LatentModel):
    """A generator of images from noise, and an adversary that judges them.

    A subclass gives the presets and optimizers, and writes the step of its paper with `parts`,
    `generate`, `adversary_loss` and `generator_loss`. Images are in [-1, 1] inside.

    Args:
        image_shape: tuple (height, width, channels).
        latent_dim: int. Length of z. Defaults to 100.
        generator: keras.Model from (batch, latent_dim) to images (batch, height, width, channels)
            in [-1, 1], or None for the preset.
        adversary: keras.Model from images in [-1, 1] to logits (batch, 1), or None for the preset.
        adversary_steps: int. Its steps for one of the generator; a batch is split evenly over them,
            filled up with its first images where it does not divide.
        player: str. What the paper calls the adversary.
        loss: what both players minimise: "non_saturating", "minimax", "least_squares",
            "wasserstein", "hinge", "relativistic", "relativistic_average", a
            `kgen.models.adversary.Game`, or a pair of functions of real and fake logits (batch, 1)
            with one value an example, the adversary's and the generator's.
        penalties: sequence of `kgen.models.adversary.Penalty`, such as `R1(10.0)`.
        label_smoothing: float in [0, 1) or a Keras schedule. Real images count as real by
            1 - label_smoothing (Salimans et al. 2016).
        width: int or None. Sizes the presets: channels of the layer next to the image.
        num_classes: int or None. Short for `condition=kgen.fields.Label(num_classes)`.
        condition: `kgen.fields.Field` or None. With it both networks take `[input, condition]`.
        projection: bool. The preset's adversary takes the condition as the inner product of its
            embedding with the last features (Miyato & Koyama 2018), not concatenated.
        spectral_normalization: bool. The preset's adversary has it (Miyato et al. 2018).
        prior: "uniform" in [-1, 1], "normal" or a `kgen.priors.Prior`.
        r1_weight: float or a Keras schedule. Weight of 1/2 ||grad D(x)||^2 in the adversary's loss,
            short for `penalties=[R1(r1_weight)]` (Mescheder et al. 2018). Where batch normalization
            judges a batch together, it is not of one image alone. Defaults to 0.
        ema_decay: float in [0, 1) or None. With it `sample` and `decode` use an `Average` of the
            generator's weights.
        log_gradient_norms: bool. Log the norm of each player's gradient.
        seed: int or None. Seeds the model's noise; None draws a seed.
    """

    r1_weight = ScalarOf(lambda model: model.adversary.penalty("r1_penalty"), "weight", 0.0)
    ema_decay = ScalarOf(lambda model: model.average, "decay")
    label_smoothing = ScalarOf(
        lambda model: model.adversary if model.adversary.game.smooths_labels else None,
        "label_smoothing",
        0.0,
    )
    default_batch_size = 128
    log_names = ("generator_loss",)
    # Callables that build the presets: of code_size, image_shape, width and `condition`; and of
    # image_shape, width, `condition`, `projection`, `spectral_normalization` and `name`.
    generator_preset = adversary_preset = None

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        latent_dim: int = 100,
        generator: keras.Model | None = None,
        adversary=None,
        adversary_steps=1,
        player="discriminator",
        loss: str = "non_saturating",
        penalties=(),
        label_smoothing=0.0,
        width: int | None = None,
        num_classes: int | None = None,
        condition=None,
        projection: bool = False,
        spectral_normalization: bool = False,
        prior: str = "uniform",
        r1_weight: float = 0.0,
        ema_decay: float | None = None,
        log_gradient_norms: bool = False,
        seed: int | None = None,
        **kwargs,
    ):
        for name in {"discriminator", "critic"} & kwargs.keys():
            raise ValueError(
                f"Expected {player}=..., as its paper calls the network that judges. Received: "
                f"{name}={kwargs[name]!r:.80}"
            )
        super().__init__(
            image_shape,
            latent_dim,
            prior=prior if isinstance(prior, priors.Codes) else priors.get(prior, latent_dim),
            num_classes=num_classes,
            condition=condition,
            seed=seed,
            **kwargs,
        )
        self.adversary_steps = whole_number("adversary_steps", adversary_steps)
        self.projection = flag("projection", projection)
        self.spectral_normalization = flag("spectral_normalization", spectral_normalization)
        self.log_gradient_norms = flag("log_gradient_norms", log_gradient_norms)
        penalties = self.with_penalty(penalties, R1(r1_weight))
        if projection and self.condition is None:
            raise ValueError(
                "Expected num_classes or a condition with projection=True. Received: None"
            )
        self.set_sizes(generator, adversary, width=width)
        self.loss = loss
        with preset_dtype(self.dtype_policy):
            self.generator = generator or self.generator_preset(
                self.code_size, self.image_shape, self.width, condition=self.condition
            )
            judge = adversary or self.adversary_preset(
                self.image_shape,
                self.width,
                condition=self.condition,
                projection=self.projection,
                spectral_normalization=self.spectral_normalization,
                name=player,
            )
        check_network(
            "generator",
            self.generator,
            (self.code_size,),
            self.image_shape,
            beside=[self.condition],
            gives=output_range.IMAGES,
        )
        self.check_adversary(player, judge)
        self._check_presets_options(player, judge)
        self.adversary = Adversary(judge, loss, penalties, label_smoothing, name=player)
        self.add_logs(*self.adversary.log_names())
        self.average = None
        if ema_decay is not None:
            self.average = Average(
                self.generator, ema_decay, symbolic_inputs((self.code_size,), self.condition)
            )
        if log_gradient_norms:
            self.add_logs(f"{player}_gradient_norm", "generator_gradient_norm")

    @staticmethod
    def with_penalty(penalties, short_form):
        """Penalties, and the one that an argument is short for, unless its weight is 0.

        Args:
            penalties: sequence of `Penalty`.
            short_form: `Penalty`.
        """
        penalties = as_penalties(penalties)
        same = [each for each in penalties if each.name == short_form.name]
        if same and not is_rebuilt() and short_form.weight not in (0.0, same[0].weight):
            raise ValueError(
                f"Expected one weight of the {short_form.name}. Received: {short_form.weight} and, "
                f"in penalties, {same[0].weight}"
            )
        return [*penalties, *([] if same or short_form.weight == 0.0 else [short_form])]

    @property
    def loss(self):
        """What both players minimise."""
        return self._loss

    @loss.setter
    def loss(self, loss):
        if loss is None:  # with which Keras compiles a model
            return
        earlier = vars(self).setdefault("_loss", loss)
        if earlier is not loss:
            raise AttributeError(
                "Expected loss to stay as the model was made, whose adversary has it: make another "
                f"model. Received: loss={loss!r}, after {earlier!r}"
            )

    @property
    def penalties(self):
        """The penalties on the adversary's gradient."""
        return self.adversary.penalties

    def check_adversary(self, name, network):
        """Raises a ValueError unless the adversary maps images to logits."""
        shapes, beside = [self.image_shape, (1,)], [self.condition]
        check_network(name, network, *shapes, beside=beside, gives=self._logits())

    def _logits(self):
        """What the adversary gives; a loss of the user's own may ask for any range."""
        is_own = not isinstance(self._loss, str) and type(self._loss) not in games.GAMES.values()
        return None if is_own else output_range.NUMBERS

    def _check_presets_options(self, player, network):
        """Raises a ValueError if the user's own adversary lacks what an option asks for."""
        layers = network._flatten_layers()
        names = {layer.name for layer in layers}
        spectral_layers(self.generator._flatten_layers())  # Keras' own are refused
        spectral = spectral_layers(layers)
        asked = {
            "projection": not self.projection or "projection" in names,
            "spectral_normalization": not self.spectral_normalization or spectral,
        }
        for option, is_there in asked.items():
            if not is_there:
                raise ValueError(
                    f"Expected {option}=False with a {player} of your own, which has none: it is "
                    f"an option of the preset. Received: {option}=True"
                )

    def players(self):
        return {self.adversary.name: [self.adversary.network], "generator": [self.generator]}

    def check_batch_size(self, num):
        steps = self.adversary_steps
        if num % steps:
            less = num // steps * steps
            fitting = " and ".join(map(str, filter(None, (less, less + steps))))
            warn(
                f"A batch of {num} images does not divide by the {steps} steps of the "
                f"{self.adversary.name}, each of which sees images of its own: "
                f"{-num % steps} of them are seen twice. Sizes that divide: {fitting}."
            )

    def parts(self, x, y):
        """The parts of a batch, one for each of the adversary's steps.

        Where it does not divide, it is filled up with its first images.
        """
        steps = self.adversary_steps
        if steps == 1:
            return [(x, y)]
        divides = x.shape[0] is not None and x.shape[0] % steps == 0

        def split(tensor):
            if not divides:
                num = ops.shape(tensor)[0]
                rows = ops.arange((num + steps - 1) // steps * steps, dtype="int32") % num
                tensor = ops.take(tensor, rows, axis=0)
            # Row i goes to step i % steps: the parts of several replicas make up those of one.
            shape = (-1, steps, *tensor.shape[1:])
            return ops.unstack(ops.reshape(tensor, shape), steps, axis=1)

        return list(zip(split(x), [None] * steps if y is None else split(y), strict=True))

    def draw(self, noise, x):
        """As many latent vectors from the prior as there are images."""
        return self.prior.draw(noise, ops.shape(x)[0])

    def generate(self, z, y=None, training=False):
        """Images in [-1, 1], as tensors."""
        return ops.cast(self.generator(self.join(z, y), training=training), "float32")

    def adversary_loss(self, x, x_fake, z, y, noise, training=True):
        """The adversary's loss with all its terms, averaged over the batch; logs them.

        Args:
            x: tensor (batch, height, width, channels) in [-1, 1], real images.
            x_fake: tensor of the same shape.
            z: tensor (batch, code_size), what fakes were made of.
            y: the condition, or None.
            noise: `kgen.noise.Noise`, for the penalties.
            training: bool.
        """
        loss, logs, features = self.adversary.loss(x, x_fake, y, noise, self.steps, training)
        self.log(**logs)
        return ops.mean(loss + self.common_loss(features, z, training))

    def generator_loss(self, z, y, x, training=True):
        """The generator's loss with all its terms, averaged over the batch; logs them.

        Args:
            z: tensor (batch, code_size).
            y: the condition, or None.
            x: tensor (batch, height, width, channels) in [-1, 1], real images, which a relativistic
                loss compares with.
            training: bool.
        """
        x_fake = self.generate(z, y, training)
        loss, features = self.adversary.generator_loss(x_fake, y, x, training)
        self.log(generator_loss=loss)
        return ops.mean(loss + self.common_loss(features, z, training))

    def common_loss(self, features, z, training):
        """What both players minimise besides, one value an example; logs it."""
        return 0.0

    def update_average(self):
        """Moves the average of the generator's weights, if there is one."""
        if self.average is not None:
            self.average.update(self.generator, self.steps + 1)

    def published(self):
        if self.average is None:
            return super().published()
        return without_average(self, "generator")

    def evaluation_step(self, x, y, noise):
        x = 2.0 * x - 1.0
        z = self.draw(noise, x)
        self.adversary_loss(x, self.generate(z, y), z, y, noise, training=False)
        self.generator_loss(z, y, x, training=False)

    def _decode(self, z, y):
        generator = self.generator if self.average is None else self.average.network
        images = 0.5 * (ops.cast(generator(self.join(z, y)), "float32") + 1.0)
        return ops.clip(images, 0.0, 1.0)  # of a generator of the user's own

    def check_outputs(self):
        if output_range.last_activation(self.generator) == "tanh":
            return
        labels = None if self.condition is None else self.condition.example()[0]
        y = self.conditions(labels, 16)
        noise = SeededNoise(ops.convert_to_tensor(seed_words(seeds_of(0, 16))))
        y = None if y is None else ops.convert_to_tensor(y)
        x = ops.convert_to_numpy(self.generate(self.prior.draw(noise, 16), y))
        low, high = float(x.min()), float(x.max())
        # Near 0 they may all be above it by chance, as of small first weights.
        if (low >= 0 and high > 0.01) or max(-low, high) > 1:
            warn(
                "Expected a generator of images in [-1, 1], as its last activation tanh makes. "
                f"Received: generator={self.generator.name}, whose first are in "
                f"[{low:.3g}, {high:.3g}]"
            )

    def get_config(self):
        return super().get_config() | {
            "generator": self.generator,
            "loss": self.loss,
            "penalties": self.penalties,
            "label_smoothing": self.label_smoothing,
            "width": self.width,
            "projection": self.projection,
            "spectral_normalization": self.spectral_normalization,
            "prior": self.prior,
            "r1_weight": self.r1_weight,
            "ema_decay": self.ema_decay,
            "log_gradient_norms": self.log_gradient_norms,
        }

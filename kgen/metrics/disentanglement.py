"""Whether the numbers of a code are the factors that images were made of."""

import numpy as np

from kgen.checks import whole_number
from kgen.metrics.arrays import checked
from kgen.metrics.latents import examples, examples_of_test, varying_columns


def mutual_information_gap(codes, factors, bins=20):
    """MIG: by how much one number of a code tells more of a factor than the next does.

    Args:
        codes: array (num, latent_dim), the means of q(z | x).
        factors: int array (num, num_factors), what the images were made of.
        bins: int. Of equal width over each number's range. Defaults to 20.

    Returns:
        float in [0, 1]: the gap of the two largest informations, in parts of the factor's entropy,
        averaged over the factors; a factor that does not vary has none and is left out.

    Reference: Chen et al., Isolating Sources of Disentanglement in VAEs, 2018, eq. 6.
    https://arxiv.org/abs/1802.04942; of binned means as Locatello et al., 2019.
    """
    codes, factors = examples(codes, factors)
    bins = whole_number("bins", bins, at_least=2)
    edges = (np.linspace(code.min(), code.max(), bins, endpoint=False) for code in codes.T)
    binned = [np.digitize(code, edge) for code, edge in zip(codes.T, edges, strict=True)]
    gaps = []
    for factor in factors.T[varying_columns(factors)]:
        informations = np.sort([_information(code, factor) for code in binned])
        gap = informations[-1] - (informations[-2] if len(binned) > 1 else 0.0)
        gaps.append(gap / _information(factor, factor))
    return float(np.mean(gaps))


def sap_score(codes, factors, test_codes, test_factors):
    """SAP: by how much one number of a code alone predicts a factor better than the next does.

    Args:
        codes: array (num, latent_dim), the means of q(z | x).
        factors: int array (num, num_factors).
        test_codes: array (any num, latent_dim), of which the accuracies are.
        test_factors: int array of as many.

    Returns:
        float in [0, 1]: the gap of the two highest accuracies of a linear support vector machine,
        averaged over the factors.

    Reference: Kumar et al., Variational Inference of Disentangled Latent Concepts from Unlabeled
    Observations, 2018, section 3. https://arxiv.org/abs/1711.00848
    """
    from sklearn.svm import LinearSVC

    codes, factors = examples(codes, factors)
    test_codes, test_factors = examples_of_test(codes, factors, test_codes, test_factors)
    gaps = []
    varying = varying_columns(factors)
    for factor, test_factor in zip(factors.T[varying], test_factors.T[varying], strict=True):
        accuracies = np.sort(
            [
                0.0
                if np.ptp(code) == 0.0  # which says nothing, but may name the commonest
                else LinearSVC(C=0.01, class_weight="balanced", random_state=0)
                .fit(code[:, None], factor)
                .score(test_code[:, None], test_factor)
                for code, test_code in zip(codes.T, test_codes.T, strict=True)
            ]
        )
        gaps.append(accuracies[-1] - (accuracies[-2] if len(accuracies) > 1 else 0.0))
    return float(np.mean(gaps))


def importance_scores(importances):
    """DCI's disentanglement and completeness from a matrix of importances.

    Args:
        importances: array (latent_dim, num_factors), at least 0: of each number of the code for
            each factor.

    Returns:
        dict: disentanglement and completeness, floats in [0, 1], and of each number of the code and
        of each factor what they are the means of.

    Example:
    >>> found = kgen.metrics.importance_scores([[0.9, 0.1], [0.2, 0.8], [0.05, 0.05]])
    >>> round(found["disentanglement"], 10), round(found["completeness"], 10)
    (0.3852744341, 0.4638013788)

    Reference: Eastwood & Williams, A Framework for the Quantitative Evaluation of Disentangled
    Representations, 2018, section 2. https://openreview.net/forum?id=By-7dz-AZ
    """
    matrix = checked("importances", importances, 2, low=0.0)
    of_codes, of_factors = _sureness(matrix), _sureness(matrix.T)
    weights = matrix / (matrix.sum() or 1.0)
    return {
        "disentanglement": float(weights.sum(axis=1) @ of_codes),
        "completeness": float(weights.sum(axis=0) @ of_factors),
        "disentanglement_of_codes": of_codes,
        "completeness_of_factors": of_factors,
    }


def dci(codes, factors, test_codes, test_factors, seed=0):
    """DCI: disentanglement, completeness and informativeness, by boosted trees for each factor.

    Args:
        codes: array (num, latent_dim), the means of q(z | x).
        factors: int array (num, num_factors).
        test_codes: array (any num, latent_dim).
        test_factors: int array of as many.
        seed: int. The trees'.

    Returns:
        What `importance_scores` does of the trees' importances, and informativeness, their mean
        accuracy on the test images.

    Reference: Eastwood & Williams 2018; by gradient boosting as Locatello et al., 2019.
    https://arxiv.org/abs/1811.12359
    """
    from sklearn.ensemble import GradientBoostingClassifier

    seed = whole_number("seed", seed, at_least=0)
    codes, factors = examples(codes, factors)
    test_codes, test_factors = examples_of_test(codes, factors, test_codes, test_factors)
    importances, accuracies = [], []
    varying = varying_columns(factors)
    for factor, test_factor in zip(factors.T[varying], test_factors.T[varying], strict=True):
        trees = GradientBoostingClassifier(random_state=seed).fit(codes, factor)
        importances.append(np.abs(trees.feature_importances_))
        accuracies.append(trees.score(test_codes, test_factor))
    found = importance_scores(np.stack(importances, axis=1))
    return found | {"informativeness": float(np.mean(accuracies))}


def factor_vae_score(
    encode,
    draw_factors,
    draw_images,
    num_train=10_000,
    num_test=5_000,
    batch=64,
    num_var=10_000,
    seed=0,
):
    """The FactorVAE score: whether the number of a code that varies least names the fixed factor.

    Args:
        encode: callable from images to codes (num, latent_dim), the means of q(z | x).
        draw_factors: callable from a number and a `np.random.Generator` to an int array (num,
            num_factors), what images are to be made of.
        draw_images: callable from factors and a `np.random.Generator` to images.
        num_train: int. Votes of which the majority says what a number of the code stands for.
        num_test: int. Votes of which the score is.
        batch: int. Images a vote, alike in one factor.
        num_var: int. Images of which the numbers' variances are taken.
        seed: int. Draws.

    Returns:
        float in [0, 1], the accuracy of the majorities on the test's votes. A number that does not
        vary has no vote.

    Reference: Kim & Mnih, Disentangling by Factorising, 2018, section 4.
    https://arxiv.org/abs/1802.05983
    """
    num_train, num_test = whole_number("num_train", num_train), whole_number("num_test", num_test)
    batch, num_var = (
        whole_number(name, value, at_least=2)
        for name, value in (("batch", batch), ("num_var", num_var))
    )
    seed = whole_number("seed", seed, at_least=0)
    rng = np.random.default_rng(seed)

    def factors_of(num):
        factors = np.array(draw_factors(num, rng))
        if factors.ndim != 2 or factors.dtype.kind not in "iu" or len(factors) != num:
            raise ValueError(
                f"Expected draw_factors to give whole numbers ({num}, num_factors). Received: "
                f"factors of shape {factors.shape} and {factors.dtype}"
            )
        return factors

    def codes_of(factors):
        codes = checked("codes", encode(draw_images(factors, rng)), 2)
        if len(codes) != len(factors):
            raise ValueError(
                f"Expected encode to give a code for each of {len(factors)} images. Received: "
                f"codes of shape {codes.shape}"
            )
        return codes

    factors = factors_of(num_var)
    varying = varying_columns(factors)
    codes = codes_of(factors)
    variances, is_active = codes.var(axis=0, ddof=1), np.ptp(codes, axis=0) > 0.0
    if not is_active.any():
        return 0.0

    def vote():
        factors = factors_of(batch)
        fixed = varying[rng.integers(len(varying))]
        factors[:, fixed] = factors[0, fixed]
        least = codes_of(factors).var(axis=0, ddof=1)[is_active] / variances[is_active]
        return np.flatnonzero(is_active)[least.argmin()], fixed, factors.shape[1]

    counts = {}
    for _ in range(num_train):
        unit, fixed, num_factors = vote()
        counts.setdefault(unit, np.zeros(num_factors, int))[fixed] += 1
    votes = (vote() for _ in range(num_test))
    right = [unit in counts and counts[unit].argmax() == fixed for unit, fixed, _ in votes]
    return float(np.mean(right))


def _information(a, b):
    """The mutual information of two sequences of ints, in nats."""
    (_, a), (_, b) = (np.unique(each, return_inverse=True) for each in (a, b))
    joint = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(joint, (a, b), 1.0 / len(a))
    apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0)
    return float(
        np.sum(joint[joint > 0.0] * np.log((joint / np.where(apart > 0, apart, 1))[joint > 0.0]))
    )


def _sureness(matrix):
    """1 - the entropy of each row as a distribution, in parts of the largest; 0 of rows of 0."""
    sums = matrix.sum(axis=1, keepdims=True)
    if matrix.shape[1] == 1:  # which is sure of the only one
        return (sums[:, 0] > 0.0).astype("float64")
    p = np.where(sums > 0.0, matrix / np.where(sums > 0.0, sums, 1.0), 1.0 / matrix.shape[1])
    entropy = -np.sum(p * np.log(np.where(p > 0.0, p, 1.0)), axis=1)
    return 1.0 - entropy / np.log(matrix.shape[1])

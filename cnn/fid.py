"""Distances between two sets of images by their features: Frechet distance, kernel distance, nearest neighbours.

NumPy and SciPy only. Features are `(num_images, num_features)`; sums are in float64.
"""

import numpy as np
from scipy.linalg import lapack

BLOCK = 1000  # images at a time: in the kernel distance, which averages over blocks, and of a table of distances


def _check(a, b):
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ValueError(f"features should be (images, features), as many in both. Received: {a.shape}, {b.shape}")
    if min(len(a), len(b)) < 2:
        raise ValueError(f"a distance of two sets needs at least 2 images in each. Received: {len(a)} and {len(b)}")
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    broken = [int(np.sum(~np.isfinite(x).all(axis=1))) for x in (a, b)]
    if any(broken):  # of which a distance would come out as 0, or not at all
        raise ValueError(
            f"features should be finite numbers; those of {broken[0]} of {len(a)} images of the one set and of "
            f"{broken[1]} of {len(b)} of the other are not"
        )
    return a, b


def _factor(features):
    """F with covariance F^T F, of as few rows as will do."""
    centred = (features - features.mean(0)) / np.sqrt(len(features) - 1)
    if len(centred) <= centred.shape[1]:
        return centred
    # Cholesky's factor; with pivots, for a feature may be constant, or follow from others.
    upper, order, rank, _ = lapack.dpstrf(centred.T @ centred)
    factor = np.zeros((rank, len(upper)))
    factor[:, order - 1] = np.triu(upper)[:rank]
    return factor


def frechet(a, b):
    """Squared Frechet distance between the Gaussians that fit two sets of features (Heusel et al. 2017, equation 6).

    |m1 - m2|^2 + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2). With S1 = A^T A and S2 = B^T B, the last trace is the nuclear norm
    of A B^T, the sum of its singular values. No root of a matrix is taken, which for fewer images than features is
    singular and in which half of the digits would be lost.

    Few images bias the distance upward, so that only sets of equal sizes compare.

    Args:
        a, b: `(num_images, num_features)`, two images or more each.

    Returns:
        float, at least 0; exactly 0 for two equal sets, in whatever order.
    """
    a, b = _check(a, b)
    first, second = _factor(a), _factor(b)
    means = np.sum(np.square(a.mean(0) - b.mean(0)))
    traces = np.sum(np.square(first)) + np.sum(np.square(second))
    distance = means + traces - 2 * np.linalg.svd(first @ second.T, compute_uv=False).sum()
    return float(distance) if distance > 1e-11 * traces else 0.0  # below that it is rounding


def kernel_distance(a, b, seed=0):
    """Kernel inception distance: the squared maximum mean discrepancy, kernel (x.y / features + 1)^3, unbiased.

    Binkowski et al. 2018, equation 4 and section 3.1. Sets of more than 1,000 images are dealt into blocks of at most
    that many, and the estimates of the blocks are averaged; every image counts once.

    Args:
        a, b: `(num_images, num_features)`, two images or more each.
        seed: integer seed of the dealing.

    Returns:
        float; it may be slightly negative, for its expectation is 0 where the two distributions are the same.
    """
    a, b = _check(a, b)
    rng = np.random.default_rng(seed)
    blocks = min(-(-max(len(a), len(b)) // BLOCK), min(len(a), len(b)) // 2)
    parts = [np.array_split(rng.permutation(x), blocks) for x in (a, b)]
    return float(np.mean([_discrepancy(x, y) for x, y in zip(*parts, strict=True)]))


def _discrepancy(x, y):
    def kernel(left, right):
        return (left @ right.T / x.shape[1] + 1) ** 3

    def of_pairs(z):  # the mean over pairs of different images
        table = kernel(z, z)
        return (table.sum() - np.trace(table)) / (len(z) * (len(z) - 1))

    return of_pairs(x) + of_pairs(y) - 2 * kernel(x, y).mean()


def nearest(queries, references, leave_one_out=False):
    """The nearest reference of each query.

    Args:
        queries: float32 `(num_queries, num_features)`.
        references: float32 `(num_references, num_features)`; the first of equally near ones counts.
        leave_one_out: the queries are the references, and each one's own row does not count.

    Returns:
        rows of the references `(num_queries,)` and Euclidean distances to them, float64 `(num_queries,)`, 0 for a copy.
    """
    if len(references) < 1 + leave_one_out:
        raise ValueError(f"no nearest neighbour among {len(references)} images")
    squares = np.sum(np.square(references), axis=1)
    rows = np.empty(len(queries), int)
    for start in range(0, len(queries), BLOCK):
        some = slice(start, min(start + BLOCK, len(queries)))
        table = squares - 2 * (queries[some] @ references.T)  # less the query's own square, the same for all
        if leave_one_out:
            table[np.arange(some.stop - start), np.arange(start, some.stop)] = np.inf
        rows[some] = table.argmin(1)
    # Subtracted, for a difference of squares would leave rounding where the two are equal.
    pairs = zip(queries, references[rows], strict=True)
    return rows, np.array([np.linalg.norm(query.astype(float) - reference) for query, reference in pairs])


def copies(generated, real, unseen=None):
    """Tells whether generated images are copies: how near they lie to the real ones that were learned from.

    The yardstick is how near real images lie that were not learned from.

    Args:
        generated: float32 `(num_generated, num_features)`.
        real: float32 `(num_real, num_features)`, the images that were learned from.
        unseen: float32 `(num_unseen, num_features)`, other real images; None takes the real images to one another.

    Returns:
        A dict: `generated` and `real`, median Euclidean distances of the generated and of the unseen images to the
        nearest real one; `ratio` of the two, None where the latter is 0; `exact`, the number of generated images at
        distance 0; and `nearer_than_95_percent_of_real`, the share of generated images that lie nearer than the 5 %
        quantile of the unseen ones. Then rows of the nearest real images `(num_generated,)` and distances to them.
    """
    rows, distances = nearest(generated, real)
    others = nearest(real, real, leave_one_out=True)[1] if unseen is None else nearest(unseen, real)[1]
    median, usual = float(np.median(distances)), float(np.median(others))
    found = {
        "generated": median,
        "real": usual,
        "ratio": median / usual if usual else None,
        "exact": int(np.sum(distances == 0)),
        "nearer_than_95_percent_of_real": float(np.mean(distances < np.quantile(others, 0.05))),
    }
    return found, rows, distances

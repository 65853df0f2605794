"""
Start from what a larger set has taught
=======================================

Ten persons are few to learn expressions from. On little data the start of the network matters more
than the loss: pass the backbone of an embedder that was fitted on a larger set as ``backbone``.
"""

# %%
# A large set and a small one
# ---------------------------
# Other persons, and fewer expressions than the small set has, as sets often differ. Both are drawn
# in the same way; real sets differ in their cameras and crops too, so expect a smaller gain there.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import StratifiedGroupKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from skfer import MultiThresholdEmbedder
from skfer.datasets import make_expressions

known = ["anger", "happiness", "neutral", "sadness", "surprise"]
large = make_expressions(n_subjects=60, n_samples_per_expression=2, classes=known, random_state=1)
small = make_expressions(n_subjects=10, random_state=0)
print(f"large: {len(large.target)} faces, small: {len(small.target)} faces")

fitted = MultiThresholdEmbedder(backbone="scratch", max_epochs=18, random_state=0)
fitted.fit(large.images, large.target)

# %%
# One line
# --------
# The backbone is copied with its weights, in every fold anew. The rest of the network starts from
# random weights, so a smaller learning rate for the backbone keeps its weights from being washed
# out before that rest makes sense. For comparison: the embedder of the large set as it is, with
# only the classifier fitted on the small one.
scratch = MultiThresholdEmbedder(backbone="scratch", max_epochs=20, random_state=0)
transferred = clone(scratch).set_params(backbone=fitted.backbone_, backbone_lr=1e-3)


def score(embedder):
    """Balanced accuracy on new persons, a fold each."""
    return cross_val_score(
        make_pipeline(embedder, KNeighborsClassifier()),
        small.images,
        small.target,
        groups=small.groups,
        cv=StratifiedGroupKFold(3, shuffle=True, random_state=0),
        scoring="balanced_accuracy",
    )


scores = {
    "from scratch": score(scratch),
    "from the\nlarge set": score(transferred),
    "large set\nalone": score(FrozenEstimator(fitted)),
}
for name, values in scores.items():
    print(f"{' '.join(name.split()):20} {values.mean():.3f} ± {values.std(ddof=1):.3f}")

# %%
# The gain
# --------
# Folds are paired: all ways are tested on the same persons.
gain = scores["from the\nlarge set"] - scores["from scratch"]
figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
bars = ax.bar(list(scores), [values.mean() for values in scores.values()], width=0.5)
ax.bar_label(bars, fmt="%.2f", label_type="center", color="white", fontsize=12)
for place, values in enumerate(scores.values()):
    ax.plot(np.full(len(values), place), values, "o", color="black", markersize=4, alpha=0.6)
ax.set(ylim=(0, 1), ylabel="balanced accuracy", title="10 persons, tested on new ones")
ax.axhline(1 / 8, color="gray", linestyle=":")
ax.text(0.5, 1 / 8 + 0.02, "guessing", color="gray", ha="center", fontsize=9)
plt.show()
print(f"gain: {gain.mean():+.3f}, in the worst fold {gain.min():+.3f}")

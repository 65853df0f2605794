"""
Where the network looks
=======================

:class:`~skfer.TripletCenterEmbedder` pools the last feature map of its backbone by pixel-wise
attention. Nobody tells it where expressions show; this example looks at what it has found out.

Drawn faces are good for this: of every pixel we know which part of a face it shows.
"""

# %%
# Train on some persons, look at others
# -------------------------------------
# Some expressions are rarer than others here, as they are in the wild.
import matplotlib.pyplot as plt

from skfer import TripletCenterEmbedder
from skfer.datasets import make_expressions
from skfer.inspection import AttentionDisplay

rare = {"contempt": 0.3, "disgust": 0.3, "fear": 0.3}
faces = make_expressions(60, 2, proportions=rare, random_state=0, return_parts=True)
names = faces.target_names[faces.target]
train = faces.groups < 40
model = TripletCenterEmbedder(max_epochs=20, random_state=0)
model.fit(faces.images[train], names[train])
print(f"accuracy on new persons: {model.score(faces.images[~train], names[~train]):.2f}")

# %%
# The maps
# --------
# ``attention_maps`` returns the pixel-wise map, resized to the images; here it lies over a face of
# each expression. The map has 6 x 6 cells, so it can tell an eye from a chin, not an eye from its
# brow.
parts = {"parts": faces.parts[~train], "part_names": faces.part_names}
display = AttentionDisplay.from_estimator(
    model, faces.images[~train], names[~train], random_state=0, **parts
)
plt.show()

# %%
# On average
# ----------
# The mean map of each expression, over the mean face of new persons.
display.plot(kind="classes")
plt.show()

# %%
# Parts of the face
# -----------------
# How much of all attention each part gets, over all faces of new persons. A bar that is longer than
# its line gets more than its share of the pixels. Brows share their cells of the map with forehead
# and hair. A share near the line is no failure: what a cell of the last map holds has seen much of
# the face, and attention weighs these cells, not pixels.
display.plot(kind="parts")
features = [display.part_shares_[name] for name in ("brows", "eyes", "mouth")]
attention, pixels = (sum(shares) for shares in zip(*features, strict=True))
print(f"eyes, brows and mouth: {pixels:.0%} of the pixels, {attention:.0%} of the attention")
plt.show()

# %%
# Without attention
# -----------------
# An embedder without attention is looked at by gradient: which places make a face similar to its
# class? The same works for an embedder that has one, and need not agree with it.
AttentionDisplay.from_estimator(
    model, faces.images[~train], names[~train], method="gradient", random_state=0
)
plt.show()

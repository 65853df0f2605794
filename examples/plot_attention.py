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
import numpy as np

from skfer import TripletCenterEmbedder
from skfer.datasets import make_expressions

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
# ``attention_maps`` returns the pixel-wise map, resized to the images, and the weights of the
# embedding's coordinates. The map has 6 x 6 cells, so it can tell an eye from a chin, not an
# eye from its brow.
maps, weights = model.attention_maps(faces.images[~train])
images = faces.images[~train]
shown = [int(np.flatnonzero(names[~train] == name)[3]) for name in model.classes_]

figure, axes = plt.subplots(2, len(shown), figsize=(11, 2.8), layout="constrained")
for i, top, bottom in zip(shown, *axes, strict=True):
    top.imshow(images[i], cmap="gray")
    top.set_title(names[~train][i], fontsize=9)
    bottom.imshow(images[i], cmap="gray")
    drawn = bottom.imshow(maps[i], cmap="magma", alpha=0.55, vmin=0, vmax=maps[shown].max())
for ax in axes.flat:
    ax.set_axis_off()
figure.colorbar(drawn, ax=axes, label="attention", shrink=0.8)
plt.show()

# %%
# Parts of the face
# -----------------
# The mean attention to each part, over all faces of new persons, and how much more of it eyes,
# brows and mouth get than the background. Brows get least of the three: they share their cells
# of the map with forehead and hair.
parts = faces.parts[~train]
means = {str(name): maps[parts == i].mean() for i, name in enumerate(faces.part_names)}
features = np.isin(parts, [list(means).index(name) for name in ("brows", "eyes", "mouth")])
ratio = maps[features].mean() / means["background"]
print(f"eyes, brows and mouth get {ratio:.2f} times the attention of the background")

figure, ax = plt.subplots(figsize=(6, 3), layout="constrained")
ordered = sorted(means, key=means.__getitem__)
ax.barh(ordered, [means[name] for name in ordered])
ax.set_xlabel("mean attention")
plt.show()

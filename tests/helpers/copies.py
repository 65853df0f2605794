"""A small copy of each set, in each of its layouts."""

from helpers import trees

CLEAR = (9, 0, 0, 1, 0, 0, 0, 0, 0, 0)
COPIES = {
    "ck+": [
        lambda root: trees.ck_plus(root, [("S005", "001", 4, 3), ("S010", "002", 4, 5)]),
        lambda root: trees.ck48(root, [("anger", "S010_004_00000017.png")]),
    ],
    "jaffe": [lambda root: trees.named(root, ["KA.AN1.39.tiff", "KA.HA2.40.tiff"])],
    "fer2013": [
        lambda root: trees.fer2013(root, [(3, 7, "Training"), (0, 9, "PrivateTest")]),
        lambda root: trees.named(root, ["train/angry/1.jpg", "test/sad/2.jpg"]),
    ],
    "fer+": [
        lambda root: (
            trees.fer2013(root, [(3, 7, "Training")]),
            trees.fer_plus_table(root, [("Training", "fer0000000.png", CLEAR)]),
        ),
        lambda root: trees.fer_plus_pictures(
            root,
            [
                (f"FER2013{part}", f"fer000000{i}.png", 11 + i, CLEAR)
                for i, part in enumerate(("Train", "Valid", "Test"))
            ],
        ),
    ],
    "raf-db": [
        lambda root: trees.raf_db(root, [("train_00001.jpg", 5), ("test_0001.jpg", 2)]),
        lambda root: trees.named(root, ["train/1/a.jpg", "test/7/b.jpg"]),
    ],
    "affectnet": [
        lambda root: trees.affectnet_2016(
            root, [trees.affectnet_row("1/aa.jpg", 1)], [trees.affectnet_row("9/ee.jpg", 0)]
        ),
        lambda root: trees.affectnet_2021(
            root, [("train_set", 3, 0, 0.5, -0.1), ("val_set", 4, 1, 0.5, -0.1)]
        ),
    ],
    "bu3dfe": [lambda root: trees.named(root, ["F0001/F0001_AN01WH_F2D.bmp"])],
    "sfew": [
        lambda root: trees.named(
            root, ["Train/Angry/A_000519240_00000005.png", "Val/Sad/B_000519240_00000005.png"]
        ),
        lambda root: trees.named(
            root,
            [
                "Train_Aligned_Faces/Sad/A_000519240_00000005.png",
                "Val_Aligned_Faces/Fear/B_000519240_00000005.png",
            ],
        ),
    ],
    "mmi": [lambda root: trees.mmi(root, [(1767, "S001-100", 3, 4)])],
    "folder": [lambda root: trees.named(root, ["happy/a.png", "sad/b.png"], size=(20, 20))],
}
ALL = [(name, make) for name, copies in COPIES.items() for make in copies]
IDS = [f"{name}-{i}" for name, copies in COPIES.items() for i, _ in enumerate(copies)]

"""Small trees of pictures in the shape in which data sets come, made for tests."""

import io
from pathlib import Path

import numpy as np
from PIL import Image


def picture(path, size=(12, 10), *, value=None, mode="L", seed=0, **save):
    """Write one picture of (height, width) pixels, of one value or random, and return it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (*size, len(Image.new(mode, (1, 1)).getbands())) if mode not in ("L", "P") else size
    if value is None:
        array = np.random.RandomState(seed).randint(0, 256, shape).astype(np.uint8)
    else:
        array = np.full(shape, value, dtype=np.uint8)
    image = Image.fromarray(array if mode not in ("L", "P") else array.reshape(size))
    if mode == "P":
        image = image.convert("P")
    image.save(path, **save)
    return array


def noise(root, names, size=(12, 10)):
    """Write gray pictures under root, each of other random pixels, for a network to tell apart."""
    for seed, name in enumerate(names):
        picture(Path(root) / name, size, seed=seed)


def folder(root, names, size=(12, 10)):
    """Write gray pictures under root, each of another value; return the values by name."""
    values = {}
    for i, name in enumerate(names):
        values[name] = (37 * i + 5) % 256
        picture(Path(root) / name, size, value=values[name])
    return values


def table(path, header, rows, *, newline="\n", encoding="utf-8", delimiter=","):
    """Write a table as text, without quoting."""
    lines = [delimiter.join(map(str, cells)) for cells in (header, *rows)]
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes((newline.join(lines) + newline).encode(encoding))
    return Path(path)


def png_bytes(size=(12, 10), value=0):
    """Return a gray picture as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(np.full(size, value, dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def spoil(path, how):
    """Make a picture file unusable in one of the ways of `SPOILT`."""
    path = Path(path)
    content = path.read_bytes() if path.exists() else png_bytes((64, 64), 7)
    SPOILT[how](path, content)


def _bomb(path, content):
    Image.new("1", (20_000, 10_000)).save(path, "PNG")


def _missing(path, content):
    path.unlink(missing_ok=True)


def _folder(path, content):
    path.unlink(missing_ok=True)
    path.mkdir()


SPOILT = {
    "missing": _missing,
    "folder": _folder,
    "empty": lambda path, content: path.write_bytes(b""),
    "truncated": lambda path, content: path.write_bytes(content[: len(content) * 2 // 3]),
    "headless": lambda path, content: path.write_bytes(content[:10]),
    "zip": lambda path, content: path.write_bytes(b"PK\x03\x04" + content),
    "text": lambda path, content: path.write_text("not a picture"),
    "html": lambda path, content: path.write_text("<html>403 Forbidden</html>"),
    "bomb": _bomb,
}
# A word of the message for each of them.
SPOILT_SAYS = {
    "missing": "no such file",
    "folder": "a folder",
    "empty": "empty",
    "truncated": "truncated",
    "headless": "(not a picture|truncated)",
    "zip": "zip archive",
    "text": "not a picture",
    "html": "HTML",
    "bomb": "decompression bomb",
}


# Trees of data sets. Each builder writes pictures of one gray value and returns a dict from the
# name that the loader gives them to what should come with them: value, target, ...

CK_CODES = ("neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
EXPRESSION_ORDER = (
    "anger",
    "contempt",
    "disgust",
    "fear",
    "happiness",
    "neutral",
    "sadness",
    "surprise",
)


def code_of(word):
    """Return the code of skfer, written down here once more on purpose."""
    return EXPRESSION_ORDER.index(word)


def value_of(i):
    """Return a gray value that differs between neighbors."""
    return (37 * i + 5) % 256


def ck_plus(root, sequences, *, size=(20, 24), landmarks=True, outer=""):
    """Write the owners' form; sequences are (subject, sequence, n_frames, CK+ code or None).

    Return for each frame: value, and the code of its sequence (-1 for none).
    """
    root = Path(root) / outer
    (root / "Emotion").mkdir(parents=True, exist_ok=True)
    made = {}
    for subject, sequence, n_frames, label in sequences:
        stem = f"{subject}/{sequence}/{subject}_{sequence}_"
        for i in range(1, n_frames + 1):
            value = value_of(len(made))
            picture(root / f"cohn-kanade-images/{stem}{i:08d}.png", size, value=value)
            if landmarks:
                write_points(root / f"Landmarks/{stem}{i:08d}_landmarks.txt", face_points(size))
            name = f"{outer}/cohn-kanade-images/{stem}{i:08d}.png".lstrip("/")
            word = None if label is None else CK_CODES[label]
            made[name] = {"value": value, "sequence_target": -1 if word is None else code_of(word)}
        folder = root / "Emotion" / subject / sequence
        folder.mkdir(parents=True, exist_ok=True)
        if label is not None:
            text = f"   {label:.7e}\n"
            (folder / f"{subject}_{sequence}_{n_frames:08d}_emotion.txt").write_text(text)
    return made


def face_points(size, shift=(0, 0)):
    """Return 68 points with both eyes level in the middle of a picture of (height, width)."""
    height, width = size
    points = np.full((68, 2), (width / 2, height * 0.7))
    points[36:42] = (width * 0.35 + shift[0], height * 0.4 + shift[1])
    points[42:48] = (width * 0.65 + shift[0], height * 0.4 + shift[1])
    return points


def write_points(path, points):
    """Write landmarks as CK+ has them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"   {x:.7e}   {y:.7e}\n" for x, y in points))


def ck48(root, items, *, outer="CK+48/"):
    """Write the folder form; items are (class folder, file name)."""
    made = {}
    for folder, name in items:
        value = value_of(len(made))
        picture(Path(root) / f"{outer}{folder}/{name}", (12, 12), value=value)
        made[f"{outer}{folder}/{name}"] = {"value": value}
    return made


def named(root, names, *, size=(12, 12), **save):
    """Write one picture for each name."""
    made = {}
    for name in names:
        value = value_of(len(made))
        picture(Path(root) / name, size, value=value, **save)
        made[name] = {"value": value}
    return made


def fer2013(root, rows, *, name="fer2013.csv", newline="\n", order=("emotion", "pixels", "Usage")):
    """Write the table; rows are (emotion, value or pixels, Usage)."""
    made = []
    for emotion, pixels, usage in rows:
        text = " ".join([str(pixels)] * 2304) if isinstance(pixels, int) else pixels
        cells = {"emotion": emotion, "pixels": text, "Usage": usage}
        made.append([cells[column.strip()] for column in order])
    return table(Path(root) / name, order, made, newline=newline)


VOTE_HEADER = (
    "Usage",
    "Image name",
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
    "unknown",
    "NF",
)


def fer_plus_table(root, rows, **how):
    """Write fer2013new.csv; rows are (Usage, name, ten votes)."""
    cells = [(usage, name, *votes) for usage, name, votes in rows]
    return table(Path(root) / "fer2013new.csv", VOTE_HEADER, cells, **how)


def fer_plus_pictures(root, rows, *, labels=True, box=False):
    """Write the PNG form; rows are (part folder, name, value, ten votes)."""
    lines = {}
    for folder, name, value, votes in rows:
        if name:
            picture(Path(root) / folder / name, (48, 48), value=value)
        cells = [name, *(['"(0, 0, 48, 48)"'] if box else []), *votes]
        lines.setdefault(folder, []).append(",".join(map(str, cells)))
    for folder, text in lines.items():
        (Path(root) / folder).mkdir(parents=True, exist_ok=True)
        if labels:
            (Path(root) / folder / "label.csv").write_text("\n".join(text) + "\n")


def raf_db(root, rows, *, outer="", newline="\n", name="list_patition_label.txt", size=(10, 10)):
    """Write the owners' form; rows are (name, label), pictures are made for all."""
    base = Path(root) / outer
    (base / "EmoLabel").mkdir(parents=True, exist_ok=True)
    made = {}
    for i, (file, _) in enumerate(rows):
        stem, extension = file.rsplit(".", 1)
        for kind, path in (
            ("aligned", f"Image/aligned/{stem}_aligned.{extension}"),
            ("original", f"Image/original/{stem}.{extension}"),
        ):
            value = value_of(i) if kind == "aligned" else 255 - value_of(i)
            picture(base / path, size, value=value, quality=95)
            made[(Path(outer) / path).as_posix()] = {"value": value}
    text = newline.join(f"{file} {label}" for file, label in rows) + newline
    (base / "EmoLabel" / name).write_bytes(text.encode())
    return made


AFFECTNET_HEADER = (
    "subDirectory_filePath",
    "face_x",
    "face_y",
    "face_width",
    "face_height",
    "facial_landmarks",
    "expression",
    "valence",
    "arousal",
)


def affectnet_row(name, code, *, valence=0.5, arousal=-0.25, points=True, box=True):
    """Return the cells of a row of 2016."""
    corners = (5, 5, 20, 20) if box else ("NULL",) * 4
    flat = ";".join(f"{number:g}" for number in face_points((40, 40)).ravel())
    return (name, *corners, flat if points else "NULL", code, valence, arousal)


def affectnet_2016(root, train, validation, *, header=True, outer="", **how):
    """Write the form of 2016; parts are rows as `affectnet_row` gives them, or None."""
    base = Path(root) / outer
    made = {}
    for name, rows in (("training", train), ("validation", validation)):
        if rows is None:
            continue
        for row in rows:
            value = value_of(len(made))
            path = f"Manually_Annotated_Images/{row[0]}"
            picture(base / path, (40, 40), value=value, quality=95)
            made[(Path(outer) / path).as_posix()] = {"value": value}
        path = base / "Manually_Annotated_file_lists" / f"{name}.csv"
        first, *rest = [AFFECTNET_HEADER, *rows] if header else rows
        table(path, first, rest, **how)
    return made


def affectnet_2021(root, rows, *, text=True):
    """Write the form of 2021; rows are (part folder, id, code, valence, arousal)."""
    made = {}
    for part, number, code, valence, arousal in rows:
        value = value_of(len(made))
        name = f"{part}/images/{number}.jpg"
        picture(Path(root) / name, (16, 16), value=value, quality=95)
        notes = Path(root) / part / "annotations"
        notes.mkdir(parents=True, exist_ok=True)
        for kind, number_ in (("exp", code), ("val", valence), ("aro", arousal)):
            np.save(notes / f"{number}_{kind}.npy", np.array(str(number_) if text else number_))
        np.save(notes / f"{number}_lnd.npy", face_points((16, 16)).ravel())
        made[name] = {"value": value, "target": (5, 4, 6, 7, 3, 2, 0, 1)[code]}
    return made


def mmi(root, sessions, *, size=(12, 16), outer="Sessions", inner="", tag="Metatag", ids=None):
    """Write sessions (number, clip, n_frames, emotion or None).

    `ids` are the subjects of session.xml by the session's number, by default those of the names.
    """
    made = {}
    for number, clip, n_frames, emotion in sessions:
        person = str(int(clip[1:4])) if clip[:1] == "S" else "7"
        person = person if ids is None else ids[number]
        folder = Path(outer) / str(number)
        (Path(root) / folder).mkdir(parents=True, exist_ok=True)
        note = "" if emotion is None else f'<{tag} Name="Emotion" Value="{emotion}"/>'
        (Path(root) / folder / f"{clip}.xml").write_text(f"<Annotation>{note}</Annotation>")
        (Path(root) / folder / "session.xml").write_text(
            f'<session><subject id="{person}"/><track filename="{clip}.avi" view="0"/></session>'
        )
        for i in range(n_frames):
            name = (folder / inner / f"{clip}_{i:05d}.png").as_posix()
            made[name] = {"value": value_of(len(made))}
            picture(Path(root) / name, size, value=made[name]["value"])
    return made


def check_pixels(faces, made, tolerance=0):
    """Fail unless every image has the gray value that was written under its name."""
    middle = [image[image.shape[0] // 2, image.shape[1] // 2] for image in faces.images]
    expected = [made[name]["value"] for name in faces.filenames]
    assert len(expected) > 0
    np.testing.assert_allclose(
        np.reshape(middle, (len(expected), -1))[:, 0], expected, 0, tolerance
    )

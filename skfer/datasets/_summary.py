"""A data set in a few lines, as plain text and for notebooks."""

import base64
import html
import io
import textwrap
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

_N_FACES = 10  # in the strip
_N_CLASSES = 12  # told by name
_SIDE = 64  # pixels of a face in it
_STYLE = "border-collapse: collapse; text-align: left; font-size: 0.9em"


def as_text(faces: Mapping[str, Any]) -> str:
    """Return the name, the sizes, classes with their counts, and the keys."""
    if "images" not in faces or "target" not in faces:  # the caller has taken them out
        return f"Faces({', '.join(faces)})"
    lines = [_title(faces)]
    lines += [f"  {name}: {text}" for name, text in _facts(faces).items()]
    keys = ", ".join(name for name, value in faces.items() if value is not None)
    lines += textwrap.wrap(keys, 98, initial_indent="  keys: ", subsequent_indent="    ")
    return "\n".join(lines)


def as_html(faces: Mapping[str, Any]) -> str:
    """Return the same as a table, with a strip of faces."""
    if "images" not in faces or "target" not in faces:
        return f"<pre>{html.escape(as_text(faces))}</pre>"
    rows = "".join(
        f"<tr><th scope='row' style='padding-right: 1em'>{html.escape(name)}</th>"
        f"<td>{html.escape(text)}</td></tr>"
        for name, text in _facts(faces).items()
    )
    head = f"<p><b>{html.escape(_title(faces))}</b></p>"
    return f"<div>{head}{_strip(faces)}<table style='{_STYLE}'>{rows}</table></div>"


def _title(faces: Mapping[str, Any]) -> str:
    text = str(faces.get("DESCR") or "").strip()
    return text.splitlines()[0] if text else "Faces"


def _sizes(faces: Mapping[str, Any]) -> str:
    n, height, width, *channels = np.shape(faces["images"])
    return f"{n:,} of {width} x {height} pixels, {'color' if channels else 'gray'}"


def _facts(faces: Mapping[str, Any]) -> dict[str, str]:
    facts = {"images": _sizes(faces), "classes": _classes(faces)}
    groups, split = faces.get("groups"), faces.get("split")
    if groups is not None:
        facts["groups"] = f"{len(np.unique(groups)):,} {faces.get('group_kind') or 'groups'}"
    if split is not None:
        facts["split"] = _counts({part or "none": n for part, n in _tally(split).items()})
    if faces.get("skipped"):
        facts["skipped"] = f"{len(faces['skipped']):,}"
    return facts


def _classes(faces: Mapping[str, Any]) -> str:
    names = faces.get("target_names", ())
    counts = _tally(faces["target"])
    unlabeled = counts.pop(-1, 0)
    words = {
        str(names[code]) if 0 <= code < len(names) else str(code): n for code, n in counts.items()
    }
    return _counts(words | ({"unlabeled": unlabeled} if unlabeled else {}))


def _tally(values: Any) -> dict[Any, int]:
    found, counts = np.unique(values, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def _counts(counts: Mapping[str, int]) -> str:
    told = [f"{word} {n:,}" for word, n in counts.items()]
    if len(told) > _N_CLASSES:
        told[_N_CLASSES:] = [f"and {len(told) - _N_CLASSES:,} more"]
    return ", ".join(told)


def _strip(faces: Mapping[str, Any]) -> str:
    """Return a picture of the first face of each class, or of the first faces of one."""
    images, target = faces["images"], np.asarray(faces["target"])
    if not len(images):
        return ""
    firsts = np.unique(target, return_index=True)[1]
    others = np.setdiff1d(np.arange(min(len(images), _N_FACES)), firsts)
    shown = [*firsts[:_N_FACES], *others[: max(_N_FACES - len(firsts), 0)]]
    names = faces.get("target_names", ())
    words = [str(names[target[i]]) if 0 <= target[i] < len(names) else "" for i in shown]
    known = list(dict.fromkeys(word for word in words if word))
    alt = html.escape(f"Faces: {', '.join(known)}" if known else "Faces", quote=True)
    encoded = base64.b64encode(_png([images[i] for i in shown])).decode()
    narrow = "style='max-width: 100%'"  # a strip is as wide as a telephone is not
    return f'<p><img alt="{alt}" {narrow} src="data:image/png;base64,{encoded}"></p>'


def _png(images: list[np.ndarray]) -> bytes:
    """Return the images side by side, of one height, as a PNG file."""
    pictures = [Image.fromarray(np.ascontiguousarray(image)) for image in images]
    width = max(1, round(_SIDE * pictures[0].width / pictures[0].height))
    strip = Image.new(pictures[0].mode, (width * len(pictures), _SIDE))
    for i, picture in enumerate(pictures):
        strip.paste(picture.resize((width, _SIDE), Image.Resampling.BILINEAR), (i * width, 0))
    file = io.BytesIO()
    strip.save(file, "PNG")
    return file.getvalue()

"""The formats of pictures that are read."""

from PIL import features

# Naming the formats keeps Pillow from handing an unknown file to its rarer readers
# (one of which starts an external program).
FORMATS: tuple[str, ...] = ("JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF")
# fmt: off
EXTENSIONS: tuple[str, ...] = (
    ".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".mpo", ".pbm", ".pgm", ".png", ".pnm",
    ".ppm", ".tif", ".tiff", ".webp",
)
# fmt: on
# Build options of Pillow.
if features.check("webp"):
    FORMATS += ("WEBP",)
if features.check("avif"):
    FORMATS += ("AVIF",)
    EXTENSIONS += (".avif",)

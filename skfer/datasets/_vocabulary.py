"""The one vocabulary of expressions: a code means the same word in every data set."""

EXPRESSIONS: tuple[str, ...] = (
    "anger",
    "contempt",
    "disgust",
    "fear",
    "happiness",
    "neutral",
    "sadness",
    "surprise",
)

EXPRESSION_CODES: dict[str, int] = {name: code for code, name in enumerate(EXPRESSIONS)}

# The words that data sets and their users put for these names.
SYNONYMS: dict[str, str] = {
    "angry": "anger",
    "contemptuous": "contempt",
    "disdain": "contempt",
    "disgusted": "disgust",
    "fearful": "fear",
    "afraid": "fear",
    "scared": "fear",
    "happy": "happiness",
    "joy": "happiness",
    "calm": "neutral",
    "neutrality": "neutral",
    "sad": "sadness",
    "surprised": "surprise",
}

# How JAFFE and BU-3DFE abbreviate them in the names of their files.
TWO_LETTERS: dict[str, str] = {
    "AN": "anger",
    "DI": "disgust",
    "FE": "fear",
    "HA": "happiness",
    "NE": "neutral",
    "SA": "sadness",
    "SU": "surprise",
}

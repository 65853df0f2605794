"""The description that comes with the drawn faces."""

DESCR = """\
Drawn faces that show expressions
---------------------------------

Faces drawn from a parametric model: no photographs, no real persons, nothing to download.

A person is 31 numbers (head, skin, eyes, brows, nose, mouth, hair, age, beard, glasses,
background). An expression moves the drawing by action units of the Facial Action Coding System:

    anger      4+5+7+23           pressed: lips tight; bared: teeth shown (10+16+25)
    contempt   12+14, one side    lids: lids lowered (17+43); smirk: lips part (25)
    disgust    9+15+16            nose: wrinkled, mouth shut (17); mouth: open (10+25+26)
    fear       1+2+4+5+7+20+26    eyes: wide, mouth shut; mouth: stretched open (25)
    happiness  6+12               closed: lips shut; open: teeth shown (25+26)
    neutral    none               eyes open; eyes closed (43)
    sadness    1+4+15             mouth: pulled down (17); brows: oblique, lids lowered (43)
    surprise   1+2+5+26           eyes: wide; mouth: jaw dropped (25)

each scaled by the intensity of the face, from 0.65 to 1 by default, and by a jitter of its own (sd
15%). Every face has its own in-plane rotation (sd 4 degrees), size, place, turn of the head,
direction of light, blur and grain; one in twelve is partly covered by a plain disc. Contempt shows
on either side. Which units and sub-classes an expression has, and how far a unit moves the
drawing, is a simplification made for this set, not a finding about faces.

Glasses, beard and the tone of the skin of each person are known, to find out whom a model fails.

How hard it is
~~~~~~~~~~~~~~

Measured on the default set (1,200 faces of 48 x 48 pixels, 50 persons, eight expressions, so that
guessing scores 0.125), accuracy on persons not seen in training, mean over StratifiedGroupKFold(5),
for random_state = 0, 1, 2:

    5-NN on pixels                                               0.19, 0.16, 0.17
    PCA + linear discriminant analysis, best of four sizes       0.47, 0.45, 0.44
    residual CNN of 70,000 weights, cross-entropy, 30 epochs     0.91, 0.90, 0.90

with a standard deviation of 0.02 to 0.04 between folds. Single pixels say more about the person and
the light than about the expression; a small network finds the expression, and leaves room.
``python -m benchmarks.synthetic`` prints such figures again.
"""

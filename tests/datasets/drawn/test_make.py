"""The drawn faces: what is drawn, what is said about it, and that it never changes."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skfer.datasets import EXPRESSION_CODES, EXPRESSIONS, make_expressions
from skfer.datasets.drawn import _camera as camera
from skfer.datasets.drawn import _render as render
from skfer.datasets.drawn._draws import draw_faces_at_random
from skfer.datasets.drawn._model import ACTION_UNITS, IDENTITY, SUBCLASSES
from skfer.exceptions import ArgumentError

# The emotion prototypes of FACS; units at both sides, but for contempt.
PROTOTYPES = {
    "anger": {"AU4", "AU5", "AU7", "AU23"},
    "contempt": {"AU12", "AU14"},
    "disgust": {"AU9", "AU15", "AU16"},
    "fear": {"AU1", "AU2", "AU4", "AU5", "AU7", "AU20", "AU26"},
    "happiness": {"AU6", "AU12"},
    "neutral": set(),
    "sadness": {"AU1", "AU4", "AU15"},
    "surprise": {"AU1", "AU2", "AU5", "AU26"},
}


@pytest.fixture(scope="module")
def faces():
    return make_expressions(6, 4, random_state=0, return_parts=True, as_frame=True)


def digest(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


def draw_one(units=None, *, size=96, identity=None, **wanted):
    """One clean face, whose action units are given by name."""
    draws = draw_faces_at_random(1, 1, np.random.RandomState(0))
    draws = {name: values[:1] for name, values in draws.items()}
    draws["identity"] = np.zeros((1, len(IDENTITY))) if identity is None else identity
    row = np.array([[{**(units or {}), **wanted}.get(name, 0.0) for name in ACTION_UNITS]])
    images, parts = camera.take_pictures(draws, row, size, False, 0.0)
    return images[0].astype(int), parts[0]


class TestBytes:
    """One seed, one set of faces: on every machine, at every time."""

    def test_gray(self):
        faces = make_expressions(3, 2, random_state=0, return_parts=True)
        assert digest(faces.images) == "437f93d1a6e3adb2"
        assert digest(faces.parts) == "913c3e22d5b29989"

    def test_colour_and_other_size(self):
        faces = make_expressions(2, 1, image_size=64, color=True, random_state=7)
        assert digest(faces.images) == "7aae7c976efbd76b"

    def test_what_is_known_of_them(self):
        faces = make_expressions(3, 2, random_state=0)
        assert digest(faces.action_units) == "3587f012bb60ee47"
        assert digest(faces.intensity) == "9e485aa18e8587d3"

    def test_generator_and_int_agree(self):
        by_int = make_expressions(2, 1, random_state=3)
        by_generator = make_expressions(2, 1, random_state=np.random.RandomState(3))
        assert_array_equal(by_int.images, by_generator.images)
        by_numpy_int = make_expressions(2, 1, random_state=np.int64(3))
        assert_array_equal(by_int.images, by_numpy_int.images)

    def test_a_generator_moves_on(self):
        rng = np.random.RandomState(0)
        first, second = (make_expressions(1, 1, random_state=rng) for _ in range(2))
        assert (first.images != second.images).any()

    @pytest.mark.parametrize("random_state", [None, 0])
    def test_global_state_is_left_alone(self, random_state):
        before = np.random.get_state()  # noqa: NPY002
        make_expressions(1, 1, random_state=random_state)
        after = np.random.get_state()  # noqa: NPY002
        assert_array_equal(before[1], after[1])
        assert before[2:] == after[2:]

    def test_none_draws_anew(self):
        first, second = (make_expressions(1, 1) for _ in range(2))
        assert (first.images != second.images).any()


class TestNesting:
    """Asking for more, or for less, leaves the other faces as they are."""

    def test_more_persons(self, faces):
        fewer = make_expressions(2, 4, random_state=0)
        assert_array_equal(faces.images[faces.groups < 2], fewer.images)

    def test_more_samples(self, faces):
        fewer = make_expressions(6, 1, random_state=0)
        assert_array_equal(faces.images[::4], fewer.images)

    def test_fewer_expressions(self, faces):
        names = ["surprise", "anger"]
        some = make_expressions(6, 4, classes=names, random_state=0)
        wanted = np.isin(faces.target, [EXPRESSION_CODES[name] for name in names])
        assert_array_equal(faces.images[wanted], some.images)
        assert_array_equal(faces.target[wanted], some.target)
        assert some.target_names.tolist() == list(EXPRESSIONS)

    def test_proportions(self, faces):
        some = make_expressions(6, 4, proportions={"fear": 0.25, "anger": 0.01}, random_state=0)
        counts = np.bincount(some.target, minlength=8)
        assert counts.tolist() == [1, 24, 24, 6, 24, 24, 24, 24]
        known = {image.tobytes() for image in faces.images}
        assert all(image.tobytes() in known for image in some.images)

    @pytest.mark.parametrize("size", [16, 48])
    def test_chunks_do_not_show(self, monkeypatch, size):
        together = make_expressions(2, 2, image_size=size, random_state=1, return_parts=True)
        monkeypatch.setattr(camera, "_PIXELS_PER_CHUNK", 1)
        alone = make_expressions(2, 2, image_size=size, random_state=1, return_parts=True)
        assert_array_equal(together.images, alone.images)
        assert_array_equal(together.parts, alone.parts)

    @settings(deadline=None, max_examples=25)
    @given(seed=st.integers(0, 2**31), size=st.sampled_from([16, 33, 64]))
    def test_windows_cut_nothing_off(self, seed, size):
        rng = np.random.RandomState(seed)
        identity = rng.choice([-3.4, 0.0, 3.4], (1, len(IDENTITY)))
        units = {name: rng.choice([0.0, 1.0]) for name in SUBCLASSES["fear/mouth"]}
        units |= SUBCLASSES[rng.choice(list(SUBCLASSES))]
        seen = draw_one(units, size=size, identity=identity)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(render, "_WINDOWS", dict.fromkeys(render._WINDOWS, (9.0, -9.0, 9.0)))
            whole = draw_one(units, size=size, identity=identity)
        assert_array_equal(seen[0], whole[0])
        assert_array_equal(seen[1], whole[1])


class TestBunch:
    def test_pictures(self, faces):
        assert faces.images.shape == (6 * 8 * 4, 48, 48)
        assert faces.images.dtype == np.uint8
        assert faces.data.shape == (192, 48 * 48)
        assert np.shares_memory(faces.data, faces.images)
        assert faces.images.std(axis=(1, 2)).min() > 8

    def test_colour(self):
        faces = make_expressions(1, 1, color=True, random_state=0)
        gray = make_expressions(1, 1, random_state=0)
        assert faces.images.shape == (8, 48, 48, 3)
        assert faces.data.shape == (8, 48 * 48 * 3)
        luminance = faces.images @ [0.299, 0.587, 0.114]
        assert np.median(np.abs(luminance - gray.images)) < 1.5

    def test_labels(self, faces):
        assert faces.target_names.tolist() == list(EXPRESSIONS)
        assert_array_equal(faces.groups, np.repeat(np.arange(6), 32))
        assert_array_equal(faces.target, np.tile(np.repeat(np.arange(8), 4), 6))
        assert faces.target.dtype == faces.groups.dtype == faces.subclass.dtype == np.int64

    def test_subclasses_belong_to_their_expression(self, faces):
        words = faces.subclass_names[faces.subclass]
        assert_array_equal([w.split("/")[0] for w in words], faces.target_names[faces.target])

    def test_subclasses_are_balanced(self, faces):
        assert np.bincount(faces.subclass).tolist() == [12] * 16
        for person in range(6):
            assert np.bincount(faces.subclass[faces.groups == person]).tolist() == [2] * 16

    def test_one_sample_per_expression_has_all_subclasses_too(self):
        faces = make_expressions(4, 1, random_state=0)
        assert np.bincount(faces.subclass).tolist() == [2] * 16

    def test_parts(self, faces):
        assert faces.parts.shape == faces.images.shape
        assert faces.parts.dtype == np.uint8
        assert faces.part_names.tolist() == list(render.PART_NAMES)
        shares = np.bincount(faces.parts.ravel(), minlength=8) / faces.parts.size
        assert (shares[:7] > 0.01).all()
        assert shares[faces.part_names.tolist().index("skin")] > 0.3

    def test_parts_only_on_request(self):
        assert "parts" not in make_expressions(1, 1, random_state=0)

    def test_attributes_are_of_persons(self, faces):
        assert (faces.glasses.dtype, faces.beard.dtype) == (bool, float)
        assert 0 <= faces.beard.min() <= faces.beard.max() <= 1
        assert 0 < faces.skin.min() < faces.skin.max() < 1
        for person in range(6):
            own = faces.groups == person
            assert all(len(set(faces[name][own])) == 1 for name in ("glasses", "beard", "skin"))

    @pytest.mark.parametrize("name", ["glasses", "beard"])
    def test_attributes_are_what_is_drawn(self, name, monkeypatch):
        options = {"classes": ["neutral"], "nuisance": 0, "random_state": 0}
        seen = make_expressions(60, 1, **options)
        monkeypatch.setattr(render, f"_draw_{name}", lambda *arguments: None)
        without = make_expressions(60, 1, **options)
        change = np.abs(seen.images.astype(int) - without.images).max(axis=(1, 2))
        has = seen[name] > 0
        assert 0.05 < has.mean() < 0.5
        assert change[has].min() > 0
        # Glasses that are too faint to be seen do not count.
        assert change[~has].max() <= (15 if name == "glasses" else 0)
        assert change[has].mean() > 4 * change[~has].mean()

    def test_skin_is_as_light_as_is_told(self):
        faces = make_expressions(20, 1, classes=["neutral"], nuisance=0, random_state=0,
                                 return_parts=True)  # fmt: skip
        is_skin = faces.parts == render.PART_NAMES.index("skin")
        shown = [np.median(image[skin]) for image, skin in zip(faces.images, is_skin, strict=True)]
        assert np.corrcoef(shown, faces.skin)[0, 1] > 0.95

    def test_frame(self, faces):
        assert len(faces.frame) == 192
        assert_array_equal(faces.frame["target"], faces.target)
        assert_array_equal(faces.frame["expression"], faces.target_names[faces.target])
        assert_array_equal(faces.frame["groups"], faces.groups)
        assert_array_equal(faces.frame["subclass"], faces.subclass)
        assert_array_equal(faces.frame["glasses"], faces.glasses)
        assert_array_equal(faces.frame["beard"], faces.beard)
        assert_array_equal(faces.frame["skin"], faces.skin)
        assert_array_equal(faces.frame[list(ACTION_UNITS)], faces.action_units)
        assert make_expressions(1, 1).frame is None

    def test_return_x_y(self, faces):
        X, y = make_expressions(6, 4, random_state=0, return_X_y=True)
        assert_array_equal(X, faces.data)
        assert_array_equal(y, faces.target)

    def test_description(self, faces):
        assert all(name in faces.DESCR for name in EXPRESSIONS)
        assert f"{len(IDENTITY)} numbers" in faces.DESCR

    @settings(deadline=None, max_examples=20)
    @given(
        n_subjects=st.integers(1, 4),
        n_samples=st.integers(1, 3),
        size=st.integers(16, 70),
        expressions=st.sets(st.sampled_from(EXPRESSIONS), min_size=1),
        color=st.booleans(),
        nuisance=st.floats(0, 5),
        seed=st.integers(0, 2**32 - 1),
    )
    def test_any_size_and_count(
        self, n_subjects, n_samples, size, expressions, color, nuisance, seed
    ):
        faces = make_expressions(
            n_subjects,
            n_samples,
            image_size=size,
            color=color,
            classes=sorted(expressions),
            nuisance=nuisance,
            random_state=seed,
            return_parts=True,
        )
        n = n_subjects * n_samples * len(expressions)
        assert faces.images.shape == (n, size, size, 3) if color else (n, size, size)
        assert faces.parts.shape == (n, size, size)
        assert {EXPRESSIONS[code] for code in faces.target} == expressions
        assert faces.parts.max() < len(faces.part_names)
        assert ((faces.action_units >= 0) & (faces.action_units <= 1)).all()


class TestActionUnits:
    def test_prototypes_move(self, faces):
        for name, units in PROTOTYPES.items():
            rows = faces.action_units[faces.target == EXPRESSION_CODES[name]]
            moved = rows.max(axis=0) > 0
            both = {unit.rstrip("LR") for unit, on in zip(ACTION_UNITS, moved, strict=True) if on}
            assert units <= both

    @pytest.mark.parametrize("subclass", SUBCLASSES)
    def test_every_subclass_has_its_prototype(self, subclass):
        units = {unit.rstrip("LR") for unit in SUBCLASSES[subclass]}
        assert PROTOTYPES[subclass.split("/")[0]] <= units

    def test_happiness_moves_6_and_12_and_no_frown(self, faces):
        happy = faces.action_units[faces.target == EXPRESSION_CODES["happiness"]]
        columns = {name: happy[:, ACTION_UNITS.index(name)] for name in ACTION_UNITS}
        assert min(columns[name].min() for name in ("AU6", "AU12L", "AU12R")) > 0.2
        assert max(columns[name].max() for name in ("AU4", "AU9", "AU15")) == 0

    def test_only_contempt_is_one_sided(self, faces):
        left, right = (
            faces.action_units[:, [ACTION_UNITS.index(f"AU{unit}{side}") for unit in (12, 14)]]
            for side in "LR"
        )
        one_sided = ((left > 0) != (right > 0)).all(axis=1)
        assert_array_equal(one_sided, faces.target == EXPRESSION_CODES["contempt"])
        assert 5 < (left[one_sided, 0] > 0).sum() < 19

    def test_neutral_rests_or_shuts_its_eyes(self, faces):
        neutral = faces.target == EXPRESSION_CODES["neutral"]
        shut = faces.subclass_names[faces.subclass] == "neutral/eyes closed"
        still = np.delete(faces.action_units[neutral], ACTION_UNITS.index("AU43"), axis=1)
        assert (still == 0).all()
        assert (faces.action_units[neutral & ~shut] == 0).all()
        assert_array_equal(faces.intensity == 0, neutral & ~shut)

    def test_intensity(self):
        weak = make_expressions(3, 2, intensity_range=(0.2, 0.2), random_state=0)
        strong = make_expressions(3, 2, intensity_range=(0.6, 0.6), random_state=0)
        assert set(weak.intensity) == {0.0, 0.2}
        free = strong.action_units < 1
        np.testing.assert_allclose(
            weak.action_units[free] * 3, strong.action_units[free], atol=1e-12
        )

    @pytest.mark.parametrize(
        ("unit", "part"),
        [
            ("AU1", "brows"), ("AU2", "brows"), ("AU4", "brows"), ("AU5", "eyes"),
            ("AU6", "eyes"), ("AU7", "eyes"), ("AU9", "nose"), ("AU10", "mouth"),
            ("AU12L", "mouth"), ("AU12R", "mouth"), ("AU14L", "mouth"), ("AU14R", "mouth"),
            ("AU15", "mouth"), ("AU16", "mouth"), ("AU17", "mouth"), ("AU20", "mouth"),
            ("AU23", "mouth"), ("AU25", "mouth"), ("AU26", "mouth"), ("AU43", "eyes"),
        ],
    )  # fmt: skip
    def test_each_unit_moves_its_part(self, unit, part):
        rest, rest_parts = draw_one(AU25=0.5)
        moved, moved_parts = draw_one({"AU25": 0.5, unit: 1.0})
        label = render.PART_NAMES.index(part)
        change = np.abs(moved - rest)
        there = (rest_parts == label) | (moved_parts == label)
        assert change[there].mean() > 1.5
        assert change[there].mean() > 2 * change.mean()

    def test_every_unit_is_tested_above(self):
        (mark,) = (m for m in TestActionUnits.test_each_unit_moves_its_part.pytestmark)
        assert [unit for unit, _ in mark.args[1]] == list(ACTION_UNITS)

    def test_one_sided_units_are_on_the_subjects_side(self):
        rest, _ = draw_one()
        left, _ = draw_one(AU12L=1.0)
        right, _ = draw_one(AU12R=1.0)
        change = np.abs(left - rest)
        assert change[:, 50:].sum() > 2 * change[:, :46].sum()
        assert np.abs(left - right[:, ::-1]).mean() < 0.5

    def test_corners_of_the_mouth(self):
        """A smile lifts the corners of the mouth and sadness lowers them."""
        label = render.PART_NAMES.index("mouth")

        def sag(**units):
            _, parts = draw_one(**units)
            y, x = np.nonzero(parts == label)
            outer, middle = np.abs(x - 47.5) > 12, np.abs(x - 47.5) < 5
            return y[outer].mean() - y[middle].mean()

        assert sag(AU12L=1, AU12R=1) < sag() - 2
        assert sag(AU15=1) > sag() + 2


class TestDifficulty:
    """Persons differ more than expressions do, and nuisances are what they are said to be."""

    def test_persons_differ_more_than_expressions(self):
        faces = make_expressions(10, 2, random_state=0)
        pixels = faces.data.astype(float)

        def between(labels):
            means = [pixels[labels == label].mean(axis=0) for label in np.unique(labels)]
            return np.var(means, axis=0).sum()

        assert between(faces.groups) > 3 * between(faces.target)

    def test_no_nuisance_is_clean(self):
        faces = make_expressions(1, 4, nuisance=0, random_state=0, return_parts=True)
        assert render.PART_NAMES.index("occluder") not in faces.parts
        at_rest = faces.subclass_names[faces.subclass] == "neutral/eyes open"
        first, second = faces.images[at_rest][:, 10:38, 10:38]
        assert_array_equal(first, second)

    def test_one_face_in_twelve_is_covered(self):
        faces = make_expressions(20, 3, image_size=24, random_state=0, return_parts=True)
        label = render.PART_NAMES.index("occluder")
        covered = (faces.parts == label).any(axis=(1, 2)).mean()
        assert 0.04 < covered < 0.12


class TestBadArguments:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"n_subjects": 0}, "n_subjects must be .* of at least 1"),
            ({"n_subjects": 2.5}, "n_subjects must be a whole number .* got 2.5"),
            ({"n_subjects": True}, "n_subjects must be a whole number"),
            ({"n_samples_per_expression": 0}, "n_samples_per_expression must be"),
            ({"image_size": 15}, "image_size must be .* at least 16 and of at most 1024, got 15"),
            ({"image_size": (48, 48)}, "image_size must be a whole number"),
            ({"classes": "anger"}, "classes must be a list of names, got 'anger'"),
            ({"classes": []}, "classes must name at least one"),
            ({"classes": ["anger", "anger"]}, "each once"),
            ({"classes": ["rage"]}, r"classes names \['rage'\]"),
            ({"proportions": 0.5}, "proportions must map names"),
            ({"proportions": {"rage": 0.5}}, r"proportions names \['rage'\]"),
            ({"proportions": {"fear": 0}}, r"proportions.fear must be .* above 0"),
            ({"proportions": {"fear": 2}}, r"proportions.fear must be .* of at most 1"),
            ({"proportions": {"fear": "all"}}, "proportions.fear must be a finite number"),
            (
                {"classes": ["anger"], "proportions": {"fear": 0.5}},
                r"proportions names \['fear'\], not among those drawn",
            ),
            ({"intensity_range": (0.9, 0.1)}, "intensity_range must be"),
            ({"intensity_range": (0.0, 1.1)}, "intensity_range must be"),
            ({"intensity_range": (0.0, np.nan)}, "intensity_range must be"),
            ({"intensity_range": 0.5}, "intensity_range must be a pair"),
            ({"nuisance": -1}, "nuisance must be a finite number of at least 0"),
            ({"nuisance": np.nan}, "nuisance must be a finite number"),
            ({"nuisance": "none"}, "nuisance must be a finite number"),
            ({"random_state": "seed"}, "random_state must be None, a whole number"),
            ({"random_state": -1}, "random_state must be None, a whole number from 0"),
            ({"return_parts": True, "return_X_y": True}, "return_parts=True needs"),
        ],
    )
    def test_names_the_argument(self, arguments, message):
        with pytest.raises(ArgumentError, match=message):
            make_expressions(**{"n_subjects": 1, "n_samples_per_expression": 1, **arguments})

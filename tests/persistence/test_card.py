"""Model cards: made from the fit, kept in the file, read by hubs and people."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest
import yaml
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris
from sklearn.ensemble import VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline, make_union

import skfer
from skfer import CrossEntropyEmbedder, GaussianMetricEmbedder
from skfer.exceptions import ModelFileError
from skfer.persistence._file import read_file, write_file

X, Y = load_iris(return_X_y=True)
WORDS = np.array(["anger", "fear", "joy"])[Y]
CARD = {
    "name": "smile",
    "license": "mit",
    "data": {"name": "iris", "terms": "CC BY 4.0: see there"},
    "preprocessing": {"image_size": 48, "align": True},
    "scores": {"accuracy": 0.5, "balanced accuracy": 0.25},
    "made for": "tests",
    "notes": "Not for use.",
}


@pytest.fixture(scope="module")
def fitted():
    embedder = CrossEntropyEmbedder(8, max_epochs=2, random_state=0)
    groups = np.arange(len(Y)) % 10
    return embedder.fit(X, WORDS, groups=groups)


def front_matter(card):
    _, front, _ = card.split("---\n", 2)
    return yaml.safe_load(front)


def test_hubs_read_the_front_matter(fitted, tmp_path):
    skfer.save(fitted, tmp_path / "x.skfer", card=CARD)
    front = front_matter(skfer.model_card(tmp_path / "x.skfer"))
    assert front["library_name"] == "skfer"
    assert front["license"] == "mit"
    assert front["datasets"] == ["iris"]
    assert front["pipeline_tag"] == "image-classification"
    (entry,) = front["model-index"]
    metrics = entry["results"][0]["metrics"]
    assert metrics == [
        {"type": "accuracy", "value": 0.5},
        {"type": "balanced accuracy", "value": 0.25},
    ]


def test_what_the_fit_has_left(fitted):
    card = skfer.model_card(fitted)
    assert "- `CrossEntropyEmbedder(embedding_dim=8, max_epochs=2, random_state=0)`" in card
    assert "| anger | 50 |" in card
    assert "- Groups: 10" in card
    assert "- Epochs: 2" in card
    assert f"skfer {skfer.__version__}" in card
    assert "It tells anger, fear, joy." in card
    assert "None were given." in card
    first, last = (epoch["train_loss"] for epoch in fitted.history_)
    assert f"- Train loss: {first:.4g}"[:-1] in card
    assert str(round(last, 4)) in card


def test_the_card_goes_with_the_file(fitted, tmp_path):
    path = tmp_path / "x.skfer"
    skfer.save(fitted, path, card=CARD)
    loaded = skfer.load(path)
    assert loaded.card_ == CARD
    card = skfer.model_card(path)
    assert skfer.model_card(loaded) == card
    for line in ("# smile", "- Terms: CC BY 4.0: see there", "- Align: yes", "## Made for"):
        assert f"\n{line}\n" in card
    skfer.save(loaded, path)
    assert skfer.model_card(path) == card
    skfer.save(loaded, path, card={})
    assert not hasattr(skfer.load(path), "card_")


def test_counts_grow_in_passes():
    embedder = CrossEntropyEmbedder(8, random_state=0)
    embedder.partial_fit(X[::2], WORDS[::2]).partial_fit(X[1::2][:30], WORDS[1::2][:30])
    assert embedder.class_count_.tolist() == [50, 30, 25]
    assert embedder.fit(X, WORDS).class_count_.tolist() == [50, 50, 50]


def test_a_pipeline():
    model = make_pipeline(CrossEntropyEmbedder(8, max_epochs=1), KNeighborsClassifier(3))
    card = skfer.model_card(model.fit(X, WORDS))
    assert "\n# CrossEntropyEmbedder + KNeighborsClassifier\n" in card
    assert "- `KNeighborsClassifier(n_neighbors=3)`" in card
    assert "| joy | 50 |" in card


def test_words_alone(fitted, tmp_path):
    skfer.save(fitted, tmp_path / "x.skfer", card={"data": "iris", "scores": 0.5})
    card = skfer.model_card(tmp_path / "x.skfer")
    assert front_matter(card)["datasets"] == ["iris"]
    assert "- Score: 0.5" in card


def test_names_of_classes_are_no_markup():
    names = np.array(["a|b", "<b>x", r"*f* & \_very_happy", "new\nline"])
    y = names[np.arange(len(X)) % 4]
    card = skfer.model_card(CrossEntropyEmbedder(8, max_epochs=1, random_state=0).fit(X, y))
    for row in (
        r"| a\|b | 38 |",
        r"| \<b\>x | 38 |",
        r"| \*f\* \& \\\_very_happy | 37 |",
        "| new line | 37 |",
    ):
        assert f"\n{row}\n" in card
    assert r"It tells \*f\* \& \\\_very_happy, \<b\>x, a\|b, new line." in card


def test_a_file_without_facts_is_damaged(fitted, tmp_path):
    path = tmp_path / "x.skfer"
    skfer.save(fitted, path, card=CARD)
    document, arrays = read_file(path)
    document["facts"] = ["nonsense"]
    write_file(path, document, arrays)
    with pytest.raises(ModelFileError, match="damaged"):
        skfer.model_card(path)


def test_an_unfitted_model_has_no_card():
    with pytest.raises(NotFittedError):
        skfer.model_card(CrossEntropyEmbedder())


def test_a_union_tells_of_each_embedder(tmp_path):
    kinds = (CrossEntropyEmbedder, GaussianMetricEmbedder)
    union = make_union(*(kind(8, max_epochs=2, random_state=0) for kind in kinds))
    model = make_pipeline(union, KNeighborsClassifier()).fit(X, WORDS)
    skfer.save(model, tmp_path / "x.skfer")
    card = skfer.model_card(tmp_path / "x.skfer")
    assert card == skfer.model_card(model)
    for line in (
        "# FeatureUnion(CrossEntropyEmbedder + GaussianMetricEmbedder) + KNeighborsClassifier",
        "- `FeatureUnion()`",
        "  - `CrossEntropyEmbedder(embedding_dim=8, max_epochs=2, random_state=0)`",
        "- Rows of 4 numbers",
        "| anger | 50 |",
        "- GaussianMetricEmbedder",
    ):
        assert f"\n{line}\n" in card
    assert card.count("  - Epochs: 2, in ") == 2


def test_what_is_around_an_embedder_hides_nothing(fitted):
    card = skfer.model_card(CalibratedClassifierCV(FrozenEstimator(fitted)).fit(X, WORDS))
    for words in ("# CalibratedClassifierCV(CrossEntropyEmbedder)", "| joy | 50 |", "Epochs: 2"):
        assert words in card


def test_folds_have_no_counts_in_common():
    embedder = CrossEntropyEmbedder(8, max_epochs=1, random_state=0)
    some = np.r_[:50, 50:91, 100:140]
    card = skfer.model_card(CalibratedClassifierCV(embedder, cv=2).fit(X[some], WORDS[some]))
    assert "  - 2 x `CrossEntropyEmbedder(" in card
    assert "- CrossEntropyEmbedder 2\n" in card
    assert "| joy |" not in card


def test_counts_of_those_that_vote_have_the_words():
    embedder = CrossEntropyEmbedder(8, max_epochs=1, random_state=0)
    model = VotingClassifier([("a", embedder), ("b", embedder)]).fit(X, WORDS)
    assert "| fear | 50 |" in skfer.model_card(model)


def _between(text, before, after):
    return text.partition(before)[2].partition(after)[0].split(", ")


def test_what_a_card_tells_is_not_of_the_machine(tmp_path):
    """Neither the file of a model nor its card names folders."""
    model = make_pipeline(
        CrossEntropyEmbedder(
            8,
            max_epochs=1,
            random_state=0,
            checkpoint=tmp_path / "fits",
            device="cpu",
            early_stopping=True,
            scoring="accuracy",
        ),
        KNeighborsClassifier(3),
        memory=str(tmp_path / "cache"),
    ).fit(X, WORDS)
    for one in (model, CalibratedClassifierCV(FrozenEstimator(model)).fit(X, WORDS)):
        skfer.save(one, tmp_path / "x.skfer")
        assert str(tmp_path).encode() not in (tmp_path / "x.skfer").read_bytes()
        card = skfer.model_card(one)
        told = "embedding_dim=8, max_epochs=1, early_stopping=True, random_state=0"
        assert sorted(_between(card, "`CrossEntropyEmbedder(", ")`")) == sorted(told.split(", "))
    assert model.memory == str(tmp_path / "cache")
    assert skfer.load(tmp_path / "x.skfer").predict(X[:1]) == ["anger"]


def test_the_card_of_a_model_is_kept_once(tmp_path):
    """One that is replaced is not written, nor does it stand in the way."""
    model = CrossEntropyEmbedder(8, max_epochs=1, random_state=0).fit(X, WORDS)
    path = tmp_path / "x.skfer"
    skfer.save(model, path)
    size = path.stat().st_size
    for one in (model, FrozenEstimator(model)):
        one.card_ = {"data": np.zeros(10**5)}
        skfer.save(one, path, card={"name": "x"})
        assert path.stat().st_size < size + 10**4
        del one.card_
    model.card_ = {"data": np.zeros(10**5)}
    skfer.save(model, path)
    assert size + 8 * 10**5 < path.stat().st_size < size + 8 * 10**5 + 10**4
    model.card_ = {"read from": tmp_path}
    skfer.save(model, path, card={"name": "x"})
    assert skfer.load(path).card_ == {"name": "x"}
    assert model.card_ == {"read from": tmp_path}


@pytest.mark.parametrize("value", [Path("faces"), date(2026, 1, 1), np.array([1j])])
def test_what_a_card_cannot_hold_is_told(value, fitted, tmp_path):
    remedy = "give text, numbers, lists or dicts"
    with pytest.raises(TypeError, match=rf"^card\.data\.from\[1\] is .*cannot be saved: {remedy}"):
        skfer.save(fitted, tmp_path / "x.skfer", card={"data": {"from": ["x", value]}})
    assert not any(tmp_path.iterdir())


def test_a_regressor_tells_no_classes(fitted, tmp_path):
    degrees = np.linspace(0, 1, len(X))
    model = make_pipeline(FrozenEstimator(fitted), KNeighborsRegressor(3)).fit(X, degrees)
    model.card_ = {"scores": {"r2": 0.5}}
    skfer.save(model, tmp_path / "x.skfer")
    card = skfer.model_card(tmp_path / "x.skfer")
    assert card == skfer.model_card(model)
    assert "It tells" not in card
    assert "the classes" not in card
    assert "gives an answer for any picture" in card
    assert "| joy | 50 |" in card
    assert "image-classification" not in card
    assert "- R2: 0.5" in card


def test_scores_of_numpy(fitted, tmp_path):
    card = {"scores": {"accuracy": np.float32(0.5), "counts": np.array([[3, 1], [0, 4]])}}
    skfer.save(fitted, tmp_path / "x.skfer", card=card)
    text = skfer.model_card(tmp_path / "x.skfer")
    assert '"value": 0.5' in text
    assert "[[3, 1], [0, 4]]" in text

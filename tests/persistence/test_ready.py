"""The model that comes with the package."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

import skfer
from skfer.datasets import make_expressions
from skfer.nets import expression_network


@pytest.fixture(scope="module")
def faces():
    return make_expressions(2, 1, random_state=0)


@pytest.fixture(scope="module")
def ready():
    return skfer.load_expression_model()


def test_it_computes_what_the_network_computes(ready, faces):
    with torch.inference_mode():
        output = expression_network()(torch.from_numpy(faces.images)[:, None].float())
    posterior = output.logits.softmax(1).numpy()
    assert_allclose(ready.predict_proba(faces.images), posterior, atol=1e-5)
    assert_allclose(ready[-1].transform(faces.images), output.embedding.numpy(), atol=1e-5)
    assert ready.classes_.tolist() == list(expression_network().classes)


def test_pictures_of_any_kind(ready, faces, tmp_path):
    face = Image.fromarray(faces.images[0]).resize((96, 96))
    face.convert("RGB").save(tmp_path / "face.png")
    given = [face, np.asarray(face), str(tmp_path / "face.png"), face.convert("RGB")]
    each = ready.predict_proba(given)
    assert_array_equal(each, each[[0, 0, 0, 0]])


def test_it_is_kept_and_goes_on_learning(ready, faces, tmp_path):
    skfer.save(ready, tmp_path / "ready.skfer")
    loaded = skfer.load(tmp_path / "ready.skfer")
    assert_array_equal(loaded.predict_proba(faces.images), ready.predict_proba(faces.images))
    assert skfer.model_card(loaded) == skfer.model_card(tmp_path / "ready.skfer")
    loaded[-1].partial_fit(faces.images, faces.target_names[faces.target])
    assert loaded.predict_proba(faces.images).shape == (16, 8)


def test_its_card_tells_of_its_weights(ready):
    card = skfer.model_card(ready)
    for words in (
        "# skfer's model of expressions",
        "It tells anger, contempt",
        "balanced accuracy",
    ):
        assert words in card


def test_a_detector_says_where_the_face_is(faces):
    photo = np.zeros((200, 300), dtype=np.uint8)
    photo[50:98, 100:148] = faces.images[0]
    model = skfer.load_expression_model(detector=lambda image: (100, 50, 148, 98))
    assert_allclose(
        model.predict_proba([photo]),
        skfer.load_expression_model().predict_proba(faces.images[:1]),
        atol=0.02,
    )


def test_after_a_training_its_card_is_that_of_other_weights(faces, tmp_path):
    model = skfer.load_expression_model()
    model[-1].partial_fit(faces.images, faces.target_names[faces.target])
    for told in (model, tmp_path / "further.skfer"):
        if told is not model:
            skfer.save(model, told)
        card = skfer.model_card(told)
        assert "skfer's model of expressions" not in card
        assert "real faces" not in card


def test_it_has_the_attributes_of_a_fitted_embedder(ready, faces):
    embedder = ready[-1]
    fitted = skfer.CrossEntropyEmbedder(image_size=faces.images.shape[1], max_epochs=1)
    fitted.fit(faces.images, faces.target)
    assert set(vars(fitted)) == set(vars(embedder))
    assert embedder.n_groups_ is None
    assert_array_equal(embedder.class_count_, np.zeros(8))


def test_rows_of_pixels_are_pictures(ready, faces):
    embedder = ready[-1]
    rows = faces.images.reshape(len(faces.images), -1)
    assert_array_equal(embedder.predict_proba(rows), embedder.predict_proba(faces.images))


def test_one_photograph_in_color_is_not_taken_for_many(ready):
    photograph = np.zeros((90, 120, 3), np.uint8)
    with pytest.raises(
        skfer.ArgumentError, match=r"X is of shape \(90, 120, 3\), as a single image"
    ):
        ready.predict(photograph)
    assert len(ready.predict([photograph])) == 1


def test_torchs_modes_and_generator_have_no_part(ready, faces):
    expected = ready.predict_proba(faces.images)
    before = torch.get_default_dtype()
    state = torch.manual_seed(5).get_state()
    try:
        torch.set_default_dtype(torch.float64)
        with torch.device("meta"):
            model = skfer.load_expression_model()
    finally:
        torch.set_default_dtype(before)
    assert_array_equal(model.predict_proba(faces.images), expected)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_its_card_does_not_say_that_nothing_is_known(ready):
    card = skfer.model_card(ready)
    assert "| anger | 0 |" not in card
    assert "None were given" not in card
    assert card.count("balanced accuracy") > 0

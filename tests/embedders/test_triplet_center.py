"""What the triplet-center embedder has of its own: classifier, centers, attention, balancing."""

import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.testing import assert_allclose, assert_array_equal
from skorch.callbacks import Callback
from torch import nn

from skfer import TripletCenterEmbedder
from skfer.embedders._triplet_center import TripletCenterObjective, class_weights
from skfer.losses import TripletCenterLoss
from skfer.nets import Embedded


def small(**params):
    return TripletCenterEmbedder(
        16, **{"max_epochs": 2, "samples_per_class": 4, "random_state": 0} | params
    )


class Watch(Callback):
    """Notes the centers and the optimizer's groups as they are when training begins."""

    def on_train_begin(self, net, **kwargs):
        self.centers = net.criterion_.metric_loss.centers.detach().numpy().copy()
        self.groups = [
            (len(g["params"]), g["lr"], g["weight_decay"]) for g in net.optimizer_.param_groups
        ]
        self.bias = net.module_.classify.bias.detach().numpy().copy()


# -- classifier -----------------------------------------------------------------------------


def test_it_classifies_by_its_own_head(faces):
    y = faces.target_names[faces.target]
    model = small(max_epochs=15, device="cpu", precision="float32", normalize_embedding=False)
    model.fit(faces.images, y)
    proba = model.predict_proba(faces.images)
    scores = model.decision_function(faces.images)
    assert proba.shape == scores.shape == (64, 4)
    assert_allclose(proba.sum(1), 1)
    assert_allclose(proba, np.exp(scores) / np.exp(scores).sum(1, keepdims=True))
    predicted = model.predict(faces.images)
    assert_array_equal(predicted, model.classes_[scores.argmax(1)])
    assert model.score(faces.images, y) == np.mean(predicted == y) > 0.5
    head = model.net_.module_.classify
    with torch.no_grad():
        expected = head(torch.from_numpy(model.transform(faces.images))).numpy()
    assert_allclose(scores, expected, atol=1e-5)


def test_two_classes_have_one_score(rows):
    X, y = rows
    model = small().fit(X, y == "joy")
    scores = model.decision_function(X)
    assert scores.shape == (40,)
    assert_array_equal(model.predict(X), scores > 0)
    assert_allclose(model.predict_proba(X)[:, 1], 1 / (1 + np.exp(-scores)))


@pytest.mark.parametrize("negatives", ["nearest", "semi-synthesized", "prediction"])
def test_rows_are_told_apart_with_any_negatives(rows, negatives):
    X, y = rows
    assert small(negatives=negatives, max_epochs=40).fit(X, y).score(X, y) > 0.8


def test_synthesis_fraction_leads_from_nearest_to_fully_synthesized(rows):
    def centers(**params):
        return small(**params).fit(*rows).centers_

    semi = {"negatives": "semi-synthesized"}
    assert_array_equal(centers(**semi, synthesis_fraction=0), centers(negatives="nearest"))
    whole = centers(negatives="fully-synthesized")
    assert_array_equal(centers(**semi, synthesis_fraction=1), whole)
    assert not np.array_equal(centers(**semi), whole)


def test_a_synthesized_negative_can_be_satisfied_if_it_is_made_of_pieces():
    """Coordinate by coordinate it is near every sample: hardly one keeps the margin."""
    rng = np.random.RandomState(0)
    y = np.arange(160) % 8
    X = rng.normal(size=(8, 20))[y] + 0.5 * rng.normal(size=(160, 20))

    def active(size):
        model = TripletCenterEmbedder(
            64, synthesis_size=size, max_epochs=50, samples_per_class=5, random_state=0
        )
        return model.fit(X, y).history_[-1]["active_fraction"]

    assert active(8) < 0.05
    assert active(1) > 0.5


def test_copies_answer_the_same(faces):
    model = small().fit(faces.images, faces.target)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.centers_, model.centers_)
    assert_array_equal(again.predict_proba(faces.images), model.predict_proba(faces.images))
    for mine, its in zip(
        model.attention_maps(faces.images), again.attention_maps(faces.images), strict=True
    ):
        assert_array_equal(mine, its)


# -- objective and centers ------------------------------------------------------------------


def test_objective_is_the_weighted_sum():
    generator = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(*shape, generator=generator)  # noqa: E731
    output = Embedded(draw(9, 6), draw(9, 3), draw(9, 6).sigmoid())
    labels = torch.arange(9) % 3
    loss = TripletCenterLoss(3, 6)
    loss.set_centers(draw(3, 6), torch.arange(3))
    weight = torch.tensor([1.0, 2.0, 3.0])
    objective = TripletCenterObjective(loss, 0.5, metric_weight=4.0, class_weight=weight)
    expected = 0.5 * F.cross_entropy(output.logits, labels, weight)
    expected += 4.0 * loss(output.embedding, labels, output.logits, output.attention)
    torch.testing.assert_close(objective(output, labels), expected)
    assert objective.stats is loss.stats


def test_centers_start_at_class_means(faces, monkeypatch):
    calls = []
    set_centers = TripletCenterLoss.set_centers

    def spy(self, embeddings, labels):
        calls.append((embeddings.numpy(), labels.numpy()))
        set_centers(self, embeddings, labels)

    monkeypatch.setattr(TripletCenterLoss, "set_centers", spy)
    watch = Watch()
    model = small(callbacks=[watch]).fit(faces.images, faces.target)
    ((Z, codes),) = calls
    assert_array_equal(np.bincount(codes), [4, 4, 4, 4])
    assert_allclose(Z.mean(0), 0, atol=1e-5)  # of a batch in training mode
    assert_allclose(watch.centers, [Z[codes == k].mean(0) for k in range(4)], atol=1e-6)
    assert model.centers_.shape == (4, 16)
    assert model.centers_.dtype == np.float32
    assert not np.allclose(model.centers_, watch.centers), "centers must learn"


def test_first_look_leaves_no_trace_in_batch_norms(faces):
    model = small(max_epochs=1).fit(faces.images, faces.target)
    assert int(model.net_.module_.standardize.num_batches_tracked) == 4


def test_many_classes_start_from_few_samples_each(rows, monkeypatch):
    monkeypatch.setattr("skfer.embedders._triplet_center.MAX_FIRST_SAMPLES", 20)
    X, _ = rows
    watch = Watch()
    small(callbacks=[watch], classes_per_batch=3).fit(X, np.arange(40) % 12)
    assert (np.abs(watch.centers).sum(1) > 0).all()


def test_centers_have_their_own_rate_and_no_decay(faces):
    watch = Watch()
    model = small(center_weight=0, center_lr=0.7, weight_decay=0.5, backbone_lr=1e-5)
    model.set_params(callbacks=[watch], schedule="constant", normalize_embedding=False)
    model.fit(faces.images, faces.target)
    assert watch.groups[1] == (1, 0.7, 0.0)
    assert [group[1] for group in watch.groups] == [1e-5, 0.7, model.lr]
    assert_array_equal(model.centers_, watch.centers)


def test_warm_start_keeps_the_centers(faces):
    model = small(center_lr=0, warm_start=True, normalize_embedding=False)
    model.fit(faces.images, faces.target)
    first = model.centers_
    assert_array_equal(model.fit(faces.images, faces.target).centers_, first)
    assert model.centers_ is not first


def test_partial_fit_starts_the_centers_it_can(faces):
    model = small(center_weight=0, class_weight="balanced", normalize_embedding=False)
    model.partial_fit(faces.images, faces.target, classes=[0, 3, 4, 5, 7])
    assert_array_equal(np.abs(model.centers_).sum(1) > 0, [True, False, True, True, True])
    before = model.centers_
    model.partial_fit(faces.images, faces.target)
    assert_array_equal(model.centers_, before)


# -- attention ------------------------------------------------------------------------------


@pytest.mark.parametrize("attention", ["both", "pixel", "element"])
def test_attention_can_be_seen(faces, attention):
    model = small(attention=attention, max_epochs=3).fit(faces.images, faces.target)
    pixel, element = model.attention_maps(faces.images)
    for maps, wanted, shape in (
        (pixel, attention != "element", (64, 24, 24)),
        (element, attention != "pixel", (64, 16)),
    ):
        assert (maps is not None) == wanted
        if wanted:
            assert maps.shape == shape
            assert maps.dtype == np.float32
            assert ((maps > 0) & (maps < 1)).all()
            assert maps.std() > 0
            assert not np.array_equal(maps[0], maps[-1])


def test_map_of_color_images_that_are_not_square(faces):
    X = np.repeat(faces.images[:, :20, :, None], 3, axis=3)
    pixel, _ = small().fit(X, faces.target).attention_maps(X[:2])
    assert pixel.shape == (2, 20, 24)


def test_saturated_attention_stays_inside(faces):
    model = small().fit(faces.images, faces.target)
    with torch.no_grad():
        model.net_.module_.pool.look.bias += 100
        model.net_.module_.pool.weigh[-1].bias -= 1000
    pixel, element = model.attention_maps(faces.images)
    assert pixel.max() < 1
    assert element.min() > 0


def test_rows_have_element_weights_alone(rows):
    X, y = rows
    pixel, element = small().fit(X, y).attention_maps(X)
    assert pixel is None
    assert element.shape == (40, 16)
    with pytest.raises(ValueError, match=r"attention='pixel' needs a feature map.* 64 features"):
        small(attention="pixel").fit(X, y)


def test_backbone_without_a_map(faces):
    flat = nn.Sequential(nn.Flatten(), nn.Linear(576, 7), nn.ReLU())
    model = small(backbone=flat).fit(faces.images, faces.target)
    assert model.attention_maps(faces.images)[0] is None
    with pytest.raises(ValueError, match="attention='pixel' needs a feature map"):
        model.set_params(attention="pixel").fit(faces.images, faces.target)


def test_without_attention_there_is_nothing_to_see(faces):
    model = small(attention=None).fit(faces.images, faces.target)
    with pytest.raises(ValueError, match=r"fitted with attention=None.*attention='both'"):
        model.attention_maps(faces.images)


# -- imbalance ------------------------------------------------------------------------------


@pytest.mark.parametrize("sampling", ["balanced", "random"])
def test_class_of_one_sample(faces, sampling):
    keep = (faces.target != 0) | (np.cumsum(faces.target == 0) == 1)
    X, y = faces.images[keep], faces.target[keep]
    assert (y == 0).sum() == 1
    model = small(sampling=sampling, class_weight="balanced").fit(X, y)
    assert np.isfinite(model.centers_).all()
    assert np.abs(model.centers_[0]).sum() > 0


def test_batches_are_as_large_with_both_samplings(faces):
    sizes = []

    class Count(Callback):
        def on_batch_begin(self, net, batch=None, training=False, **kwargs):
            sizes.append(len(batch[0]))

    for sampling in ("balanced", "random"):
        small(sampling=sampling, max_epochs=1, callbacks=[Count()]).fit(faces.images, faces.target)
    assert sizes == [16] * 8


def test_class_weights_are_those_of_scikit_learn():
    codes = np.array([0, 0, 0, 1])
    labels = np.array(["a", "b"])
    assert_allclose(class_weights("balanced", labels, codes), [4 / 6, 2])
    assert_allclose(class_weights({"a": 3.0, "b": 0.5}, labels, codes), [3, 0.5])
    assert_allclose(class_weights(None, labels, codes), 1)
    absent = class_weights("balanced", np.array(["a", "b", "c"]), codes)
    assert_allclose(absent, [4 / 6, 2, 1])


def test_classifier_starts_from_the_weights_of_the_classes(rows):
    X, y = rows
    plain, weighted, shared = Watch(), Watch(), Watch()
    weight = {"joy": 4.0, "rage": 1.0, "awe": 1.0}
    model = small(class_weight=weight, callbacks=[weighted]).fit(X, y)
    assert_allclose(model.net_.criterion_.class_weight, [1, 4, 1])
    small(callbacks=[plain]).fit(X, y)
    small(sampling="random", callbacks=[shared]).fit(X[2:], y[2:])
    moved = weighted.bias - plain.bias
    assert_allclose(moved, np.log([0.5, 2, 0.5]), atol=1e-6)
    moved = shared.bias - plain.bias
    assert_allclose(moved, np.log(np.array([13, 13, 12]) * 3 / 38), atol=1e-6)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"class_weight": {0: 1.0, 4: 0.0}}, r"class_weight must be a positive .*4: 0"),
        ({"class_weight": {0: 1.0, 99: 2.0}}, "are not in class_weight"),
        ({"class_weight": "heavy"}, "'class_weight' parameter"),
        ({"classification_weight": 0}, "'classification_weight' parameter"),
        ({"attention": "spatial"}, "'attention' parameter"),
        ({"negatives": "random"}, "'negatives' parameter"),
        ({"sampling": "skewed"}, "'sampling' parameter"),
        ({"synthesis_fraction": 1.5}, "'synthesis_fraction' parameter"),
        ({"margin": -0.1}, "'margin' parameter"),
        ({"center_weight": -1}, "'center_weight' parameter"),
        ({"center_lr": -1}, "'center_lr' parameter"),
    ],
)
def test_bad_parameters(faces, params, message):
    with pytest.raises(ValueError, match=message):
        small(**params).fit(faces.images, faces.target)


def test_unlabeled_samples_are_refused(faces):
    with pytest.raises(ValueError, match="y has no label for"):
        small().fit(faces.images, np.where(faces.target == 0, -1, faces.target))

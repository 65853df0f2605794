"""Networks that are made beside a training in another thread, whose generator is torch's one."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

from skfer.nets import expression_network, face_backbone, start
from skfer.nets._own_draws import CannotDrawError, OwnDraws

DRAWS = {
    "rand": lambda: torch.rand(3),
    "randn": lambda: torch.randn(3, dtype=torch.float64),
    "randint": lambda: torch.randint(9, (8,)),
    "randint from": lambda: torch.randint(2, 9, (8,)),
    "randperm": lambda: torch.randperm(9),
    "multinomial": lambda: torch.multinomial(torch.ones(5), 3),
    "bernoulli": lambda: torch.bernoulli(torch.full((9,), 0.5)),
    "normal": lambda: torch.normal(torch.zeros(3), torch.ones(3)),
    "uniform_": lambda: torch.empty(3).uniform_(-1, 1),
    "xavier": lambda: nn.init.xavier_uniform_(torch.empty(4, 5)),
    "orthogonal": lambda: nn.init.orthogonal_(torch.empty(4, 5)),
    "truncated": lambda: nn.init.trunc_normal_(torch.empty(4, 5)),
    "sparse": lambda: nn.init.sparse_(torch.empty(4, 5), 0.4),
    "convolution": lambda: nn.utils.parameters_to_vector(nn.Conv2d(2, 3, 3).parameters()),
    "attention": lambda: nn.utils.parameters_to_vector(nn.MultiheadAttention(8, 2).parameters()),
}


@pytest.mark.parametrize("inference", [False, True])
@pytest.mark.parametrize("draw", DRAWS)
def test_they_are_those_of_torchs_generator(draw, inference):
    with torch.inference_mode(inference):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            want = DRAWS[draw]()
        before = torch.random.get_rng_state()
        with OwnDraws(3):
            found = DRAWS[draw]()
    torch.testing.assert_close(found, want, rtol=0, atol=0)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_generator_that_is_given_is_used():
    with OwnDraws():
        found = torch.rand(3, generator=torch.Generator().manual_seed(5))
    torch.testing.assert_close(found, torch.rand(3, generator=torch.Generator().manual_seed(5)))


def test_what_knows_no_other_generator_is_not_drawn():
    before = torch.random.get_rng_state()
    with pytest.raises(CannotDrawError, match="native_dropout"), OwnDraws():
        torch.native_dropout(torch.ones(3), 0.5, True)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_other_threads_draw_as_before():
    before = torch.random.get_rng_state()
    with ThreadPoolExecutor(1) as pool, OwnDraws():
        pool.submit(torch.rand, 3).result()
    assert not torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("make", [face_backbone, expression_network])
def test_what_a_training_draws_meanwhile_stays_drawn(monkeypatch, make):
    """Were torch's generator wound back, the training would draw the same once more."""
    read = start.load_start

    def meanwhile(*args):
        with ThreadPoolExecutor(1) as pool:
            drawn.append(pool.submit(torch.rand, 3).result())
        return read(*args)

    drawn = []
    monkeypatch.setattr(start, "load_start", meanwhile)
    make()
    assert len(drawn) == 1
    assert not torch.equal(torch.rand(3), drawn[0])

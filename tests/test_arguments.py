"""Odd values for every parameter of what is public: a sound result, or an error that names it."""

import importlib

import pytest
from helpers.odd import (
    datasets,
    evaluation,
    inspection,
    metrics,
    model_selection,
    persistence,
    preprocessing,
    training,
)

import skfer

TABLES = {
    "datasets": datasets,
    "evaluation": evaluation,
    "inspection": inspection,
    "metrics": metrics,
    "model_selection": model_selection,
    "persistence": persistence,
    "preprocessing": preprocessing,
    "training": training,
}
# Their own tables are stricter: what is refused is listed. A recipe takes minutes, and has tests
# of its arguments with it; of exceptions the text is what is given.
ELSEWHERE = {"embedders", "exceptions", "losses", "nets", "pretraining"}
CALLS = {f"{room}.{name}": call for room in TABLES for name, call in TABLES[room].CALLS.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where arguments are made, once for all."""
    return tmp_path_factory.mktemp("arguments")


def test_every_room_is_in_a_table():
    assert {*skfer._ROOMS} == {*TABLES, *ELSEWHERE}


@pytest.mark.parametrize("room", TABLES)
def test_every_public_callable_is_in_the_table(room):
    table = TABLES[room]
    public = importlib.import_module(f"skfer.{room}")
    callables = {name for name in public.__all__ if callable(getattr(public, name))}
    tried = {name.partition(".")[0] for name in table.CALLS}
    assert callables == tried | getattr(table, "ELSEWHERE", set())


@pytest.mark.parametrize("name", CALLS)
def test_odd_values_are_used_soundly_or_told_by_name(name, folder, monkeypatch):
    monkeypatch.chdir(folder)  # where files with odd names may be written
    call = CALLS[name]
    assert set(call.valid) == call.parameters()
    call.call(**call.arguments(folder))
    faults = [fault for parameter in call.valid for fault in call.faults(parameter, folder)]
    assert not faults, "\n".join(faults)

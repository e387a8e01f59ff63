"""What each normalisation may look at, and what it leaves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from data_builders.normalisation import NORMALISATIONS, Normaliser

N = 30  # windows a subject, the first 6 of them references


def table(subjects: str = "ABCD", session: str = "") -> pd.DataFrame:
    number = np.tile(np.arange(N), len(subjects))
    subject = np.repeat(list(subjects), N)
    return pd.DataFrame(
        {"subject": subject, "recording": subject, "session": session, "reference": number < 6, "source": ""}
    )


def draw(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Values with a level and a spread of their own for every subject."""
    rng = np.random.default_rng(seed)
    n_subjects = shape[0] // N
    level, spread = 5 * rng.normal(size=n_subjects), rng.uniform(0.5, 4, n_subjects)
    blow = (slice(None), *[None] * (len(shape) - 1))
    values = rng.normal(size=shape) * np.repeat(spread, N)[blow] + np.repeat(level, N)[blow]
    return values.astype(np.float32)


SHAPES = [(4 * N, 3), (4 * N, 2, 16)]


def axes(values: np.ndarray) -> tuple[int, ...]:
    return (0,) if values.ndim == 2 else (0, 2)


@pytest.mark.parametrize("shape", SHAPES)
def test_subject_gives_every_subject_zero_mean_and_unit_variance(shape):
    values, rows = draw(shape), table()
    # One training subject whose first column never moves must not change the scale of the others.
    values[rows["subject"] == "A", 0] = 3.0
    done = Normaliser("subject").fit(values[: 2 * N], rows[: 2 * N]).transform(values, rows)
    for subject in "BCD":
        own = done[(rows["subject"] == subject) & ~rows["reference"]]
        np.testing.assert_allclose(own.mean(axes(own)), 0, atol=1e-5)
        np.testing.assert_allclose(own.std(axes(own)), 1, atol=1e-5)
    assert not done[rows["subject"] == "A", 0].any()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("how", NORMALISATIONS)
def test_augmented_copies_change_nothing_for_what_they_are_copies_of(how, shape):
    values, rows = draw(shape), table()
    alone = Normaliser(how).fit(values[: 2 * N], rows[: 2 * N]).transform(values, rows)
    copies = rows[~rows["reference"]].assign(source="a segment")
    loud, both = 10 * values[~rows["reference"]] + 3, pd.concat([rows, copies], ignore_index=True)
    normaliser = Normaliser(how).fit(values[: 2 * N], rows[: 2 * N])
    np.testing.assert_allclose(
        normaliser.transform(np.concatenate([values, loud]), both)[: len(rows)], alone, atol=1e-5
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_recording_gives_every_recording_zero_mean_and_unit_variance(shape):
    """Two recordings a subject, the second 7 higher: no level of the recording is left."""
    values, rows = draw(shape), table()
    second = np.tile(np.arange(N) >= 18, 4)
    values[second] += 7
    rows["recording"] = rows["subject"] + np.where(second, "/2", "/1")
    rows["reference"] &= ~second
    done = Normaliser("recording").fit(values[: 2 * N], rows[: 2 * N]).transform(values, rows)
    for _, own in rows[~rows["reference"]].groupby("recording"):
        np.testing.assert_allclose(done[own.index].mean(axes(done)), 0, atol=1e-5)
        np.testing.assert_allclose(done[own.index].std(axes(done)), 1, atol=1e-5)
    by_subject = Normaliser("subject").fit(values, rows).transform(values, rows)
    assert (by_subject[second].mean(axes(by_subject)) > 0.1).all()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("how", NORMALISATIONS)
def test_a_subject_does_not_depend_on_the_others_in_the_batch(how, shape):
    values, rows = draw(shape), table()
    fitted = Normaliser(how).fit(values[: 2 * N], rows[: 2 * N])
    alone = np.flatnonzero(rows["subject"] == "C")
    together = fitted.transform(values, rows)[alone]
    np.testing.assert_array_equal(fitted.transform(values[alone], rows.iloc[alone]), together)
    changed = values.copy()
    changed[rows["subject"] == "D"] *= 100
    np.testing.assert_array_equal(fitted.transform(changed, rows)[alone], together)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_baseline_sees_nothing_after_the_first_two_minutes(shape):
    values, rows = draw(shape), table()
    fitted = Normaliser("baseline").fit(values[: 2 * N], rows[: 2 * N])
    before = fitted.transform(values, rows)
    late = 3 * N + 10  # a window of the last subject after its references
    changed = values.copy()
    changed[late:] += 50
    after = fitted.transform(changed, rows)
    np.testing.assert_array_equal(after[:late], before[:late])
    shift = (after[late:] - before[late:]).mean(axes(after))
    np.testing.assert_allclose(shift, 50 / fitted.scale_, rtol=1e-4)


def test_a_baseline_centres_on_the_reference_windows_and_scales_by_the_training_part():
    values, rows = draw((4 * N, 3)), table()
    done = Normaliser("baseline").fit(values[: 2 * N], rows[: 2 * N]).transform(values, rows)
    reference = rows["reference"].to_numpy()
    centred = values.astype(float)
    for subject in "ABCD":
        own = (rows["subject"] == subject).to_numpy()
        centred[own] -= values[own & reference].astype(float).mean(0)
    train = centred[: 2 * N][~reference[: 2 * N]]
    np.testing.assert_allclose(done, (centred - train.mean(0)) / train.std(0), atol=1e-4)


def test_each_session_is_centred_on_its_own_first_two_minutes():
    """The second session's baseline lies in the future of the first."""
    values, rows = draw((4 * N, 3)), table()
    fitted = Normaliser("baseline").fit(values, rows)
    morning, evening = draw((N, 3), 1), draw((N, 3), 2) + 30
    both = pd.concat([table("E", "morning"), table("E", "evening")], ignore_index=True)
    done = fitted.transform(np.concatenate([morning, evening]), both)
    np.testing.assert_array_equal(done[:N], fitted.transform(morning, table("E", "morning")))


def test_each_trial_is_centred_on_its_own_baseline_and_without_one_on_those_before_it():
    """As of DREAMER, whose films have a baseline each: the last one's lies in the future of the first."""
    values, rows = draw((4 * N, 3)), table()
    fitted = Normaliser("baseline").fit(values, rows)
    films = [table("E").assign(recording=f"film {k}") for k in range(3)]
    films[1]["reference"] = False
    both, seen = pd.concat(films, ignore_index=True), draw((3 * N, 3), 1)
    done = fitted.transform(seen, both)
    np.testing.assert_array_equal(done[:N], fitted.transform(seen[:N], films[0]))
    moved = seen.copy()
    moved[2 * N :] += 100
    again = fitted.transform(moved, both)
    np.testing.assert_array_equal(again[: 2 * N], done[: 2 * N])
    moved = seen.copy()
    moved[:N] += 100
    assert not np.allclose(fitted.transform(moved, both)[N : 2 * N], done[N : 2 * N])


def test_a_recording_of_nothing_but_a_baseline_is_its_session_s_wherever_it_stands():
    values, rows = draw((4 * N, 3)), table()
    fitted = Normaliser("baseline").fit(values, rows)
    film = table("E").assign(recording="film", reference=False)
    rest = table("E").iloc[:4].assign(recording="rest", reference=True)
    seen, still = draw((N, 3), 1), draw((N, 3), 2)[:4]
    before = fitted.transform(np.concatenate([still, seen]), pd.concat([rest, film], ignore_index=True))
    behind = fitted.transform(np.concatenate([seen, still]), pd.concat([film, rest], ignore_index=True))
    np.testing.assert_array_equal(before[4:], behind[:N])


def test_a_trial_with_no_baseline_in_or_before_it_is_refused():
    values, rows = draw((4 * N, 3)), table()
    fitted = Normaliser("baseline").fit(values, rows)
    films = [table("E").assign(recording=f"film {k}") for k in range(2)]
    films[0]["reference"] = False
    with pytest.raises(ValueError, match="recording 'film 0': no windows to normalise by, in it or before"):
        fitted.transform(draw((2 * N, 3), 1), pd.concat(films, ignore_index=True))


@pytest.mark.parametrize("shape", SHAPES)
def test_none_knows_the_training_statistics_only(shape):
    values, rows = draw(shape), table()
    done = Normaliser("none").fit(values[: 2 * N], rows[: 2 * N]).transform(values, rows)
    train = values[: 2 * N][~rows["reference"][: 2 * N]].astype(float)
    column = (slice(None),) if values.ndim == 2 else (slice(None), None)
    wanted = (values - train.mean(axes(train))[column]) / train.std(axes(train))[column]
    np.testing.assert_allclose(done, wanted, atol=1e-4)


@pytest.mark.parametrize("how", NORMALISATIONS)
def test_an_undefined_value_stays_so_and_spoils_no_other(how):
    values, rows = draw((4 * N, 3)), table()
    holes = np.zeros(values.shape, bool)
    holes[[3, N + 7, 3 * N + 9], [0, 1, 2]] = True
    broken = np.where(holes, np.nan, values)
    done = Normaliser(how).fit(broken[: 2 * N], rows[: 2 * N]).transform(broken, rows)
    np.testing.assert_array_equal(np.isnan(done), holes)


@pytest.mark.parametrize("value", [0.0, 3.7, -1e6])
@pytest.mark.parametrize("how", NORMALISATIONS)
def test_a_constant_becomes_zero(how, value):
    values, rows = draw((4 * N, 3)), table()
    values[:, 1] = value
    done = Normaliser(how).fit(values[: 2 * N], rows[: 2 * N]).transform(values, rows)
    assert not done[:, 1].any()


@pytest.mark.parametrize("how", NORMALISATIONS)
def test_the_unit_does_not_matter(how):
    """Powers of signals in V are of the order of 1e-12; they are no constants."""
    values, rows = draw((4 * N, 3)), table()
    done = [Normaliser(how).fit(x, rows).transform(x, rows) for x in (values, values * np.float32(1e-12))]
    np.testing.assert_allclose(done[1], done[0], atol=1e-3)


def test_a_feature_that_a_baseline_lacks_is_undefined_for_its_subject():
    """Zero in place of the missing centre would make it an outlier of the feature's whole level."""
    values, rows = draw((4 * N, 3)) + 70, table()
    values[(rows["subject"] == "D") & rows["reference"], 1] = np.nan
    done = Normaliser("baseline").fit(values[: 2 * N], rows[: 2 * N]).transform(values, rows)
    assert np.isnan(done[3 * N :, 1]).all()
    assert np.isfinite(done[: 3 * N]).all()
    assert np.isfinite(done[3 * N :, [0, 2]]).all()


def test_a_subject_without_a_baseline_is_named():
    values, rows = draw((4 * N, 3)), table()
    rows.loc[rows["subject"] == "C", "reference"] = False
    with pytest.raises(ValueError, match=r"'C'.*two minutes"):
        Normaliser("baseline").fit(values, rows)


def test_an_unknown_normalisation_is_refused_with_those_that_exist():
    with pytest.raises(
        ValueError, match=r"'zscore'; allowed are \['subject', 'recording', 'baseline', 'none'\]"
    ):
        Normaliser("zscore").fit(draw((N, 2)), table("A"))


def test_the_input_is_left_as_it_is():
    values, rows = draw((4 * N, 3)), table()
    before = values.copy()
    for how in NORMALISATIONS:
        Normaliser(how).fit(values, rows).transform(values, rows)
    np.testing.assert_array_equal(values, before)


def test_whole_numbers_are_not_cut_off():
    rows = table("A")
    done = Normaliser("subject").fit(np.arange(N)[:, None], rows).transform(np.arange(N)[:, None], rows)
    assert len(np.unique(done)) == N

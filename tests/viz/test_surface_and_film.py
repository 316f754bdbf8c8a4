"""Boundaries of models, surfaces of regressors, and films of boundaries being learned."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from pellucid import nn, optim
from pellucid.train import Callback, Checkpoint, EarlyStopping, Model
from pellucid.viz import BoundaryFilm, decision_boundary, regression_surface
from viz.pictures import assert_nothing_is_cut_off

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 2)).astype(np.float32)
Y = (X[:, 0] + X[:, 1] > 0).astype(int)


def classifier(loss="cross_entropy", outputs=2):
    return Model(nn.Sequential(nn.Dense(2, outputs), rng=0), loss, optim.Adam(0.05))


def picture(figure):
    return np.asarray(figure.axes[0].images[0].get_array())


def test_a_model_is_asked_for_its_probabilities():
    model = classifier()
    by_hand = decision_boundary(model.predict_proba, X, Y, resolution=20)
    np.testing.assert_array_equal(
        picture(decision_boundary(model, X, Y, resolution=20)), picture(by_hand)
    )


@pytest.mark.parametrize(("loss", "outputs"), [("hinge", 1), ("categorical_hinge", 3)])
def test_a_model_without_probabilities_has_regions_of_one_strength(loss, outputs):
    figure = decision_boundary(classifier(loss, outputs), X, Y, resolution=20)
    colours = np.unique(picture(figure).reshape(-1, 3), axis=0)
    assert 2 <= len(colours) <= 3


def test_a_regression_model_is_a_surface():
    model = Model(nn.Sequential(nn.Dense(2, 1), rng=0), "mse")
    target = X[:, :1] * 2
    figure = decision_boundary(model, X, target, resolution=15)
    same = regression_surface(model, X, target, resolution=15)
    np.testing.assert_array_equal(picture(figure), picture(same))
    assert_nothing_is_cut_off(figure)


def test_the_surface_has_the_answers_and_the_points_the_truth():
    figure = regression_surface(lambda p: p[:, 0], X, X[:, 1], resolution=25)
    values = picture(figure)
    assert values.shape == (25, 25)
    assert (np.diff(values, axis=1) > 0).all()
    assert (np.diff(values, axis=0) == 0).all()
    points = figure.axes[0].collections[-1]
    np.testing.assert_allclose(points.get_array(), X[:, 1])
    np.testing.assert_allclose(points.get_offsets(), X)
    assert points.get_clim() == figure.axes[0].images[0].get_clim()


def test_a_flat_surface_and_axes_given(axes):
    regression_surface(lambda p: np.zeros(len(p)), X, np.zeros(30), ax=axes)
    axes.figure.draw_without_rendering()
    assert axes.images


@pytest.mark.parametrize(
    ("predict", "y", "message"),
    [
        (lambda p: np.zeros((len(p), 2)), np.zeros(30), "predict: expected one number a row"),
        (lambda p: np.full(len(p), np.nan), np.zeros(30), "predict: expected finite"),
        (lambda p: np.zeros(len(p)), np.zeros(29), r"y: expected one number a row, \(30,\)"),
    ],
)
def test_bad_surfaces_are_refused(predict, y, message):
    with pytest.raises(ValueError, match=message):
        regression_surface(predict, X, y, resolution=5)


def filmed(tmp_path, every=2, epochs=5, **options):
    model = classifier()
    film = BoundaryFilm(model, X, Y, every=every, resolution=10)
    model.fit(X, Y, epochs=epochs, seed=0, verbose=False, callbacks=[film], **options)
    return model, film, film.save(tmp_path / "film.gif", seconds=1.0)


def test_a_film_shows_the_start_every_few_epochs_and_the_end(tmp_path):
    _, film, path = filmed(tmp_path)
    assert film.frames == 4  # before, 2, 4, 5
    with Image.open(path) as image:
        assert image.format == "GIF"
        assert image.n_frames == 4
        frames, times = [], []
        for i in range(4):
            image.seek(i)
            frames.append(np.asarray(image.convert("L")))
            times.append(image.info["duration"])
        assert image.info["loop"] == 0
    assert times == [250, 250, 250, 1500]
    assert not np.array_equal(frames[0], frames[-1])
    assert [p.name for p in tmp_path.iterdir()] == ["film.gif"]


def test_filming_changes_nothing_and_begins_anew(tmp_path):
    model, film, _ = filmed(tmp_path, every=1, epochs=3)
    plain = classifier()
    plain.fit(X, Y, epochs=3, seed=0, verbose=False)
    for a, b in zip(model.network.parameters(), plain.network.parameters(), strict=True):
        np.testing.assert_array_equal(a.data, b.data)
    model.fit(X, Y, epochs=1, verbose=False, callbacks=[film])
    assert film.frames == 2


def test_a_film_goes_on_from_a_checkpoint(tmp_path):
    films = []
    for folder, lengths in (("whole", [4]), ("parts", [2, 4])):
        for epochs in lengths:
            model = classifier()
            film = BoundaryFilm(model, X, Y, resolution=10)
            model.fit(
                X, Y, epochs=epochs, seed=0, verbose=False, resume=tmp_path / folder,
                callbacks=[film, Checkpoint(tmp_path / folder)],
            )  # fmt: skip
        assert film.frames == 5
        films.append(film.save(tmp_path / f"{folder}.gif").read_bytes())
    assert films[0] == films[1]


def test_a_run_that_stops_early_ends_the_film():
    model = classifier()
    film = BoundaryFilm(model, X, Y, every=100, resolution=10)
    stop = EarlyStopping("loss", patience=1, min_delta=1e9)
    model.fit(X, Y, epochs=50, verbose=False, callbacks=[stop, film])
    assert film.frames == 2


def test_a_network_that_breaks_down_is_filmed_until_then():
    model = classifier()
    film = BoundaryFilm(model, X, Y, resolution=5)

    class Break(Callback):
        def on_epoch_begin(self, run):
            if run.epoch == 3:
                model.network[0].weight.data = np.full((2, 2), np.nan, np.float32)

    with pytest.warns(RuntimeWarning, match="training stopped"):
        model.fit(X, Y, epochs=5, verbose=False, callbacks=[Break(), film])
    assert film.frames == 3


def test_bad_points_are_refused_before_training():
    model = classifier()
    before = model.network.state()
    with pytest.raises(ValueError, match="expected points in the plane"):
        model.fit(X, Y, epochs=1, callbacks=[BoundaryFilm(model, X[:, :1], Y)], verbose=False)
    for path, array in model.network.state().items():
        np.testing.assert_array_equal(array, before[path])


def test_films_that_cannot_be_written_are_refused(tmp_path):
    film = BoundaryFilm(classifier(), X, Y)
    with pytest.raises(ValueError, match=r"pass this object to fit\(callbacks"):
        film.save(tmp_path / "a.gif")
    with pytest.raises(ValueError, match=r"ends in \.gif"):
        film.save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="every: expected"):
        BoundaryFilm(classifier(), X, Y, every=0)
    _, film, _ = filmed(tmp_path)
    with pytest.raises(ValueError, match="seconds: expected a positive time"):
        film.save(tmp_path / "a.gif", seconds=0)

"""image_folder: what it makes of folders of images, and the file it names when it cannot."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pellucid.data import Loader, RandomFlip, image_folder

RED, GREEN = (255, 0, 0), (0, 255, 0)


def put(path: Path, pixels: Any, mode: str | None = None, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.asarray(pixels, np.uint8))
    (image.convert(mode) if mode else image).save(path, **options)
    return path


def noise(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_classes_are_folders_and_pixels_are_exact(tmp_path: Path) -> None:
    pictures = {name: noise(4, 5, seed) for seed, name in enumerate(["b2", "b10", "a1"])}
    put(tmp_path / "pets" / "dog" / "b2.png", pictures["b2"])
    put(tmp_path / "pets" / "dog" / "deeper" / "b10.PNG", pictures["b10"], format="png")
    put(tmp_path / "pets" / "Cat" / "a1.bmp", pictures["a1"])
    pets = image_folder(tmp_path / "pets")
    assert (pets.name, pets.class_names, pets.image_shape) == ("pets", ("Cat", "dog"), (4, 5, 3))
    assert pets.y.tolist() == [0, 1, 1]
    assert (pets.x.shape, pets.x.dtype) == ((3, 4, 5, 3), np.float32)
    expected = np.stack([pictures[name] for name in ("a1", "b2", "b10")])
    np.testing.assert_array_equal(pets.x, expected.astype(np.float32) / np.float32(255))


def test_grey_images_have_one_channel(tmp_path: Path) -> None:
    put(tmp_path / "a" / "1.png", [[RED, GREEN]])
    grey = image_folder(tmp_path, grayscale=True)
    assert (grey.x.shape, grey.image_shape) == ((1, 1, 2, 1), (1, 2))
    np.testing.assert_allclose(grey.x.ravel() * 255, [76, 150], atol=0.6)  # of 76.2 and 149.7


def test_any_mode_becomes_three_channels(tmp_path: Path) -> None:
    for mode in ("L", "1", "P", "RGBA", "LA", "CMYK"):
        suffix = "tif" if mode == "CMYK" else "png"
        put(tmp_path / mode / f"white.{suffix}", np.full((2, 2, 3), 255), mode)
    clear = Image.new("P", (2, 2))
    clear.putpalette([255] * 768)
    clear.save(tmp_path / "P" / "clear.png", transparency=bytes([0] * 256))
    np.testing.assert_array_equal(image_folder(tmp_path).x, np.ones((7, 2, 2, 3)))


def test_images_are_resized_to_height_and_width(tmp_path: Path) -> None:
    put(tmp_path / "a" / "1.png", np.full((8, 6, 3), 51))
    put(tmp_path / "b" / "2.jpg", np.full((3, 9, 3), 51))
    found = image_folder(tmp_path, (4, 2))
    assert found.x.shape == (2, 4, 2, 3)
    np.testing.assert_allclose(found.x, 0.2, atol=0.01)


def test_shrinking_averages(tmp_path: Path) -> None:
    put(tmp_path / "a" / "1.png", np.tile([[[0] * 3, [255] * 3]], (64, 32, 1)))  # stripes
    np.testing.assert_allclose(image_folder(tmp_path, (4, 4)).x, 0.5, atol=0.05)


def test_photographs_are_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # held so that the picture has to be turned clockwise
    put(tmp_path / "a" / "1.png", [[RED, GREEN]], exif=exif)
    np.testing.assert_array_equal(image_folder(tmp_path).x[0, :, 0], [[1, 0, 0], [0, 1, 0]])


def test_other_files_and_hidden_folders_are_left_out(tmp_path: Path) -> None:
    put(tmp_path / "a" / "1.png", noise(2, 2))
    put(tmp_path / "a" / ".thumbs" / "2.png", noise(9, 9))
    put(tmp_path / ".git" / "3.png", noise(9, 9))
    (tmp_path / "a" / "notes.txt").write_text("not an image")
    (tmp_path / "README").write_text("not a class")
    assert len(image_folder(tmp_path)) == 1


def test_images_can_be_augmented(tmp_path: Path) -> None:
    put(tmp_path / "a" / "1.png", noise(3, 3))
    data = image_folder(tmp_path)
    ((x, _),) = Loader(data, transform=RandomFlip(p=1.0))
    np.testing.assert_array_equal(x, data.x[:, :, ::-1])


def test_different_sizes_name_both_files(tmp_path: Path) -> None:
    first = put(tmp_path / "a" / "1.png", noise(2, 3))
    second = put(tmp_path / "b" / "2.png", noise(3, 2))
    with pytest.raises(
        ValueError, match=r"expected 2x3 pixels as in .*got 3x2; pass size="
    ) as error:
        image_folder(tmp_path)
    assert str(first) in str(error.value)
    assert str(error.value).startswith(str(second))


@pytest.mark.parametrize("content", [b"not an image", b"", b"\x89PNG\r\n\x1a\n\x00\x00"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes) -> None:
    put(tmp_path / "a" / "1.png", noise(2, 2))
    (tmp_path / "a" / "2.png").write_bytes(content)
    with pytest.raises(ValueError, match=r"2\.png: expected an image .*replace or remove it"):
        image_folder(tmp_path)


def test_a_cut_off_file_is_named(tmp_path: Path) -> None:
    path = put(tmp_path / "a" / "1.png", noise(40, 40))
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ValueError, match=r"1\.png: expected an image"):
        image_folder(tmp_path)


def test_deep_images_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    Image.fromarray(np.zeros((2, 2), np.uint16)).save(tmp_path / "a" / "scan.png")
    with pytest.raises(ValueError, match=r"scan\.png: .* 8 bits a channel, .*mode I"):
        image_folder(tmp_path)


def test_folders_that_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        image_folder(tmp_path / "none")
    put(tmp_path / "loose.png", noise(2, 2))
    with pytest.raises(NotADirectoryError):
        image_folder(tmp_path / "loose.png")
    with pytest.raises(ValueError, match="expected one folder for each class, got no folders"):
        image_folder(tmp_path)
    (tmp_path / "cat").mkdir()
    with pytest.raises(ValueError, match="expected images of the class 'cat', got none"):
        image_folder(tmp_path)


@pytest.mark.parametrize("size", [28, (28,), (28, 28, 3), (28, 2.5), "28"])
def test_sizes_that_are_refused(tmp_path: Path, size: Any) -> None:
    with pytest.raises(TypeError, match="size: expected"):
        image_folder(tmp_path, size)


def test_without_pillow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "a" / "1.png", noise(2, 2))
    usual = builtins.__import__

    def refusing(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "PIL":
            raise ImportError(name)
        return usual(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refusing)
    with pytest.raises(ImportError, match=r"pip install 'pellucid\[images\]'"):
        image_folder(tmp_path)

import pytest

from flatminima.data.sources import IMAGE_SOURCES
from flatminima.errors import UserError


def files(source, folder, *, partial=False):
    return IMAGE_SOURCES[source].paths(folder, partial=partial)


def names(paths, folder):
    return [path.removeprefix(f"{folder}/") for path in paths]


def test_digits_come_from_no_files():
    assert files("digits", None) == []


def test_the_extra_images_count_where_they_are(svhn_folder):
    every = ["train_32x32.mat", "test_32x32.mat", "extra_32x32.mat"]
    assert names(files("svhn", str(svhn_folder)), svhn_folder) == every
    (svhn_folder / every[-1]).unlink()
    assert names(files("svhn", str(svhn_folder)), svhn_folder) == every[:-1]


def test_the_folder_of_cifar10_is_that_of_the_archive_or_the_one_above(cifar10_folder):
    inner = cifar10_folder / "cifar-10-batches-bin"
    above = files("cifar10", str(cifar10_folder))
    assert above == files("cifar10", str(inner))
    assert len(above) == 6
    assert all((inner / name).is_file() for name in names(above, inner))


def test_files_to_be_downloaded_need_not_be_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert files("svhn", None) == [
        "downloads/svhn/train_32x32.mat",
        "downloads/svhn/test_32x32.mat",
    ]
    assert files("cifar10", None)[-1] == "downloads/cifar10/cifar-10-batches-bin/test_batch.bin"


def test_home_and_variables_in_a_folder_are_written_out(svhn_folder, monkeypatch):
    monkeypatch.setenv("HOME", str(svhn_folder.parent))
    monkeypatch.setenv("RAW", svhn_folder.name)
    monkeypatch.delenv("NOWHERE", raising=False)
    expected = files("svhn", str(svhn_folder))
    for folder in ("~/{0}", "$HOME/{0}", "${{HOME}}/{0}", "~/$RAW", "~/${{RAW}}/"):
        assert files("svhn", folder.format(svhn_folder.name)) == expected
    with pytest.raises(UserError, match="not every variable in it is set; set it, or write"):
        files("svhn", "$NOWHERE/raw")
    with pytest.raises(UserError, match="there is no such folder"):
        files("svhn", "~/elsewhere")
    with pytest.raises(UserError, match=r"home directory.*; write the folder out"):
        files("svhn", "~nobody-of-this-name/raw")


@pytest.mark.parametrize(
    ("source", "there", "message"),
    [
        ("cifar10", "data_batch_1", "data_batch_1 there is of the Python version, whose pickles "
         r"are never read here; get cifar-10-binary\.tar\.gz from https?://www\.cs\.toronto\.edu"),
        ("cifar10", "cifar-10-batches-py/data_batch_1", "is of the Python version"),
        ("cifar10", "data_batch_1.mat", "is of the MATLAB version"),
        ("cifar10", "fine_label_names.txt", "is of CIFAR-100"),
        ("svhn", "digitStruct.mat", r"is of SVHN's first format, .* get train_32x32\.mat and "),
    ],
)  # fmt: skip
def test_another_edition_is_told_with_where_to_get_the_right_one(tmp_path, source, there, message):
    (tmp_path / there).parent.mkdir(exist_ok=True)
    (tmp_path / there).touch()
    with pytest.raises(UserError, match=f"does not hold .*; .*{message}"):
        files(source, str(tmp_path))


def test_missing_folders_and_files_are_told(svhn_folder, cifar10_folder):
    with pytest.raises(UserError, match="there is no such folder; correct it, or set it to null"):
        files("svhn", str(svhn_folder / "elsewhere"))
    (svhn_folder / "test_32x32.mat").unlink()
    with pytest.raises(UserError, match=r"does not hold test_32x32\.mat; put the files there"):
        files("svhn", str(svhn_folder))
    inner = cifar10_folder / "cifar-10-batches-bin"
    (inner / "data_batch_4.bin").unlink()
    with pytest.raises(UserError, match=r"batches-bin does not hold data_batch_4\.bin;"):
        files("cifar10", str(cifar10_folder))
    assert len(files("cifar10", str(cifar10_folder), partial=True)) == 5
    (inner / "test_batch.bin").unlink()
    with pytest.raises(UserError, match=r"does not hold test_batch\.bin;"):
        files("cifar10", str(cifar10_folder), partial=True)

import numpy as np

from flatminima.data.images import scaled


def test_pixels_are_scaled_from_0_to_1_where_white_is_known():
    images = np.arange(2 * 16, dtype=np.uint8).reshape(2, 1, 4, 4)
    np.testing.assert_array_equal(scaled(images, 16), (images / 16).astype(np.float32))


def test_images_are_standardised_one_by_one_and_one_of_a_single_colour_is_zero():
    images = np.random.default_rng(0).integers(0, 256, (3, 3, 4, 4), dtype=np.uint8)
    images[1] = 200
    images[2] = images[0] // 2
    found = scaled(images, None)
    for image in (0, 2):
        np.testing.assert_allclose(found[image].mean(dtype=np.float64), 0, atol=1e-6)
        np.testing.assert_allclose(found[image].std(dtype=np.float64), 1, atol=1e-6)
    np.testing.assert_array_equal(found[1], 0)
    # A difference of one grey level in one pixel of 48 is not blown up further than that.
    images[1, 0, 0, 0] = 201
    assert scaled(images, None)[1].max() < np.sqrt(48)

"""The linear model on quadratic features of an image."""

import torch
import torch.nn.functional as F  # noqa: N812 (the field's usual name)
from jaxtyping import Float
from torch import Tensor, nn


class QuadraticModel(nn.Module):
    """Logits linear in all pixels and in all products x_i x_j, i ≤ j, of a reduced image.

    The image is reduced to ``side`` × ``side`` by averaging squares of pixels; its colours stay.
    For RGB images of 32×32 pixels and side 16 that is 3,072 + 768·769/2 = 298,368 features. The
    weights lie as those of one linear layer on them: pixels first, then products in the order
    (0, 0), (0, 1), …, (1, 1), ….

    The features are never stored: the weights of the products form one triangular matrix a class,
    and x·Wx over all classes is one matrix product.
    """

    def __init__(self, shape: tuple[int, int, int], classes: int, *, side: int) -> None:
        """Make the model for images of one shape (channels, rows, columns).

        Raises:
            ValueError: if ``side`` does not divide rows and columns.
        """
        super().__init__()
        channels, rows, columns = shape
        if rows % side or columns % side:
            raise ValueError(f"side is {side}; it must divide {rows} rows and {columns} columns")
        self._window = (rows // side, columns // side)
        self._reduced = channels * side * side
        products = self._reduced * (self._reduced + 1) // 2
        self.linear = nn.Linear(channels * rows * columns + products, classes)

    def forward(self, x: Float[Tensor, "points c h w"]) -> Float[Tensor, "points classes"]:
        """Logits of a batch of images."""
        pixels, size = x.flatten(1), self._reduced
        reduced = F.avg_pool2d(x, self._window).flatten(1)
        of_pixels, of_products = self.linear.weight.tensor_split([pixels.shape[1]], dim=1)
        first, second = torch.triu_indices(size, size, device=x.device)
        squares = of_products.new_zeros(len(of_products), size * size)
        triangles = squares.index_copy(1, first * size + second, of_products)
        forms = reduced @ triangles.view(-1, size, size)
        products = (forms * reduced).sum(2).T
        return F.linear(pixels, of_pixels, self.linear.bias) + products

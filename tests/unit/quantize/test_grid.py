"""Four-bit numbers: how they are chosen, and the layouts they are stored in."""

import pytest
import torch

from labkit.quantize import grid


@pytest.fixture
def weight():
    return torch.randn(64, 96, generator=torch.Generator().manual_seed(0))


def test_rounding_errs_by_half_a_step_and_keeps_zero(weight):
    weight[3, 5] = 0.0
    rounded = grid.nearest(weight, 32)
    steps = rounded.scales.float()[rounded.of_input].T
    assert ((rounded.restored() - weight).abs() <= 0.5 * steps * 1.01).all()
    assert rounded.restored()[3, 5] == 0.0


def test_a_group_of_positive_weights_is_not_clipped_and_has_no_zero_point_0(weight):
    weight[0, :32] = torch.linspace(0.5, 1.5, 32)
    weight[1, 32:64] = 0.0
    rounded = grid.nearest(weight, 32)
    assert rounded.zeros.min() >= 1
    assert (rounded.restored()[0, :32] - weight[0, :32]).abs().max() <= 1.5 / 14 / 2 * 1.01
    assert (rounded.restored()[1, 32:64] == 0).all()


def test_what_is_packed_comes_back(weight):
    rounded = grid.nearest(weight, 32)
    stored = grid.pack(rounded)
    assert {name: tuple(tensor.shape) for name, tensor in stored.items()} == {
        "qweight": (12, 64), "qzeros": (3, 8), "scales": (3, 64), "g_idx": (96,),
    }  # fmt: skip
    assert torch.equal(grid.unpack(stored).restored(), rounded.restored())


def test_the_layout_is_that_of_autogptq(weight):
    """One weight read with nothing but shifts, as AutoGPTQ's own code reads it."""
    rounded = grid.nearest(weight, 32)
    stored = {name: tensor.tolist() for name, tensor in grid.pack(rounded).items()}
    for output, column in ((0, 0), (5, 37), (63, 95)):
        code = stored["qweight"][column // 8][output] >> 4 * (column % 8) & 15
        group = stored["g_idx"][column]
        zero = (stored["qzeros"][group][output // 8] >> 4 * (output % 8) & 15) + 1
        assert stored["scales"][group][output] * (code - zero) == pytest.approx(
            float(rounded.restored()[output, column]), rel=1e-3
        )


def test_a_zero_point_that_borrowed_from_its_neighbour_is_read(weight):
    """gptqmodel takes 0x11111111 off the whole word, so a zero point of 0 changes the places above it."""
    rounded = grid.nearest(weight, 32)
    rounded.zeros[0, 0] = 0
    stored = grid.pack(rounded)
    plain = sum(int(zero) << 4 * place for place, zero in enumerate(rounded.zeros[0, :8]))
    word = (plain - 0x11111111) % 2**32
    stored["qzeros"][0, 0] = word - 2**32 if word >= 2**31 else word
    assert torch.equal(grid.unpack(stored).zeros[0], rounded.zeros[0].to(torch.uint8))


def test_awq_keeps_eight_outputs_in_an_order_of_its_own():
    """The order of AutoAWQ's packing: bits 0 to 3 hold output 0, then 2, 4, 6, 1, 3, 5, 7."""
    order = (0, 2, 4, 6, 1, 3, 5, 7)
    codes = torch.randint(0, 16, (64, 16), generator=torch.Generator().manual_seed(0))  # inputs, outputs
    zeros = torch.randint(0, 16, (2, 16), generator=torch.Generator().manual_seed(1))

    def words(numbers):
        rows = [
            [sum(int(row[8 * block + out]) << 4 * place for place, out in enumerate(order)) for block in range(2)]
            for row in numbers
        ]
        return torch.tensor(rows).where(torch.tensor(rows) < 2**31, torch.tensor(rows) - 2**32).to(torch.int32)

    scales = torch.full((2, 16), 0.5)
    found = grid.unpack_awq({"qweight": words(codes), "qzeros": words(zeros), "scales": scales}, 32)
    expected = 0.5 * (codes - zeros.repeat_interleave(32, 0)).T
    assert torch.equal(found.restored(), expected.float())

"""Exercises of appendix A."""

from torch import nn

from helpers.exercises import Exercise
from helpers.exercises.code import Case, CodeExercise


def stored_numbers(model: nn.Module) -> int:
    """All numbers that a network stores: weights, and what BatchNorm keeps (but not its counter of batches)."""
    return sum(tensor.numel() for name, tensor in model.state_dict().items() if "num_batches_tracked" not in name)


def trained_numbers(model: nn.Module) -> int:
    """The numbers that training changes."""
    return sum(parameter.numel() for parameter in model.parameters())


def batchnorm_channels(model: nn.Module, kind: type = nn.modules.batchnorm._BatchNorm) -> int:
    """The channels of all BatchNorm layers together, or of those of one kind."""
    return sum(layer.num_features for layer in model.modules() if isinstance(layer, kind))


def a_convolution() -> nn.Module:
    """A network without BatchNorm."""
    return nn.Conv2d(3, 5, 3)


def a_normed_convolution() -> nn.Module:
    """One convolution and its BatchNorm."""
    return nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8))


def a_small_network() -> nn.Module:
    """Two convolutions with BatchNorm, and a linear layer."""
    layers = [nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 6, 1), nn.BatchNorm2d(6)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(6, 2))


def could_be(count: int, printed: str) -> bool:
    """Whether a count, rounded or cut off, is the printed number of millions, to all its decimals. The right answer."""
    unit = 10 ** (6 - len(printed.partition(".")[2]))
    number = round(float(printed) * 10**6) // unit
    return number in (count // unit, (2 * count + unit) // (2 * unit))


def only_rounded(count: int, printed: str) -> bool:
    """Wrong: knows rounding alone."""
    unit = 10 ** (6 - len(printed.partition(".")[2]))
    return (2 * count + unit) // (2 * unit) == round(float(printed) * 10**6) // unit


def only_cut_off(count: int, printed: str) -> bool:
    """Wrong: knows cutting off alone."""
    unit = 10 ** (6 - len(printed.partition(".")[2]))
    return count // unit == round(float(printed) * 10**6) // unit


def both_at_once(count: int, printed: str) -> bool:
    """Wrong: wants both."""
    return only_rounded(count, printed) and only_cut_off(count, printed)


def without_decimals(count: int, printed: str) -> bool:
    """Wrong: compares whole millions."""
    return could_be(count, printed.partition(".")[0])


EXERCISES = {
    "A.1": CodeExercise(
        "stored_numbers",
        cases=(
            Case("for one convolution with a bias", a_convolution()),
            Case("for a convolution and its BatchNorm", a_normed_convolution()),
            Case("for a network of five layers with numbers", a_small_network()),
            Case("for BatchNorm in one dimension", nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))),
        ),
        reference=stored_numbers,
        why="for MobileNetV2 1.0 this is 3,504,872 trained numbers and two more vectors of 17,056: 3,538,984, printed "
        "3.54. A page that says 3.47 counted something else.",
        mistakes={
            "That is what is trained: γ and β. The file also keeps the running mean and variance.": trained_numbers,
            "You counted BatchNorm's counters, one number each; leave num_batches_tracked out.": lambda model: sum(
                tensor.numel() for tensor in model.state_dict().values()
            ),
            "You counted tensors, not the numbers in them: .numel() counts numbers.": (
                lambda model: sum("num_batches_tracked" not in name for name in model.state_dict()),
                lambda model: len(model.state_dict()),
            ),
            "You added all four vectors to a count that holds γ and β already.": (
                lambda model: trained_numbers(model) + 4 * batchnorm_channels(model),
                lambda model: trained_numbers(model) + 4 * batchnorm_channels(model, nn.BatchNorm2d),
            ),
            "You took BatchNorm out; the file has it in.": (
                lambda model: trained_numbers(model) - 2 * batchnorm_channels(model),
                lambda model: trained_numbers(model) - 2 * batchnorm_channels(model, nn.BatchNorm2d),
            ),
            "There are BatchNorms of other kinds than 2d: go by the names in state_dict(), not by the layers' kinds.": (
                lambda model: trained_numbers(model) + 2 * batchnorm_channels(model, nn.BatchNorm2d)
            ),
        },
    ),
    "A.2": Exercise(
        4_147_200,
        "24 kernels of 3 × 3 × 3 weights at each of the 80 × 80 positions that a stride of 2 leaves. This is 2.5 % of "
        "the network; the rounding makes 2.6 of it, the distance of the four points.",
        {
            "You used the input's height and width; a stride of 2 leaves half of each.": 16_588_800,
            "That is with 32 channels; the width multiplier narrows them.": 5_529_600,
            "You counted one input channel; each kernel reads all three colours.": 1_382_400,
            "Those are FLOPs: one multiply-accumulate is two of them.": 8_294_400,
            "Those are the weights; each is used at every position of the output.": 648,
        },
        hint="How many kernels, how many weights in each, at how many positions of the output?",
        unit="MACs",
    ),
    "A.3": Exercise(
        6,
        "it repairs 150 and breaks 418, 186, 49, 41, 21. A rule that mends one row and loses five explains nothing.",
        {
            "That is what ordinary rounding reproduces. Upwards, 418.122 becomes 419.": 10,
            "That is what the pooling reproduces.": 11,
            "That is what cutting off reproduces.": 5,
            "You may have let the row of 34M pass: rounded up, 30.213 is 31.": 7,
        },
        hint='Go through the sixteen rows whose table is "V1 release"; math.ceil rounds up.',
    ),
    "A.4": CodeExercise(
        "could_be",
        cases=(
            Case("for whole millions, a count that rounds up to them", 10_600_000, "11"),
            Case("for whole millions, a count that is cut off to them", 11_900_000, "11"),
            Case("for whole millions, a count just below", 10_499_999, "11"),
            Case("for whole millions, a count just above", 12_000_000, "11"),
            Case("for whole millions, a count that is both", 11_200_000, "11"),
            Case("for two decimals, cut off", 3_478_999, "3.47"),
            Case("for two decimals, rounded up", 3_466_000, "3.47"),
            Case("for two decimals, next to it", 3_459_999, "3.47"),
            Case("for one decimal", 4_231_976, "4.2"),
            Case("for one decimal, too far away", 4_300_000, "4.2"),
        ),
        reference=could_be,
        why='"11" may hide anything from 10.5 up to 12 million: 14 % of 11. "3.47" hides 0.4 %. Printed digits are '
        "evidence, and two digits are little of it.",
        mistakes={
            "You know rounding only; 11.9 cut off is 11, too.": only_rounded,
            "You know cutting off only; 10.6 rounds to 11, too.": only_cut_off,
            "One of the two is enough: use `or`, not `and`.": both_at_once,
            "You looked at whole millions only; the decimals were printed as well.": without_decimals,
            "That is True for everything.": lambda count, printed: True,
        },
    ),
}

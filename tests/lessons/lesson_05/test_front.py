"""Which networks no other beats: cheaper and at least as accurate, or as cheap and more accurate."""

from helpers.lessons.lesson_05.networks import Result, front


def made_up(*pairs: tuple[float, float]) -> list[Result]:
    """Results of these (MACs, accuracy)."""
    return [Result("V2", 1.0, 224, macs, 1.0, top1, "made up", macs, 1.0) for macs, top1 in pairs]


def test_the_front_by_hand():
    rows = made_up((30, 70), (10, 60), (20, 60), (20, 65), (40, 70), (35, 64), (10, 55))
    assert [(row.macs, row.top1) for row in front(rows)] == [(10, 60), (20, 65), (30, 70)]


def test_the_front_is_who_nobody_beats():
    rows = made_up(*((macs * 7 % 23, 50 + macs * 11 % 19) for macs in range(1, 40)))

    def beaten(row: Result) -> bool:
        return any(
            other.macs <= row.macs and other.top1 >= row.top1 and (other.macs, other.top1) != (row.macs, row.top1)
            for other in rows
        )

    assert {(row.macs, row.top1) for row in front(rows)} == {(r.macs, r.top1) for r in rows if not beaten(r)}

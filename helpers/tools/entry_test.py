"""Ten minutes before the first lesson: what the lessons take for granted of Python and of mathematics."""

from helpers.tools.quiz_items import Item

# title, question, what Python says (a test asks it), wrong choices with what to say
QUESTIONS = [
    ("slices", "<code>x = [5, 6, 7, 8, 9]</code>. What is <code>x[1:3]</code>?", "[5, 6, 7, 8, 9][1:3]",
     {"[5, 6, 7]": "Counting begins at 0.", "[6, 7, 8]": "The end is not included.", "[6, 8]": "1:3 is no list."}),
    ("steps", "<code>x</code> holds the numbers 0 to 9. How many are in <code>x[::4]</code>?", "len(range(10)[::4])",
     {"2": "0, 4 and 8: the first counts, too.", "4": "4 is the step.", "2.5": "A number of things is whole."}),
    ("shapes", "A matrix of 3 rows and 4 columns times one of 4 rows and 5 columns: how many numbers has that?",
     "3 * 5", {"20": "Rows of the first, columns of the second.", "12": "That is the first one.",
               "60": "Those are the multiplications."}),
    ("products", "The row (1, 2, 3) times the column (4, 0, −1): what comes out?", "1 * 4 + 2 * 0 + 3 * -1",
     {"(4, 0, −3)": "Add the three products.", "7": "3 · (−1) is −3.", "10": "Products, not sums."}),
    ("variance", "What is the variance of 1, 1, 3, 3 (dividing by the number of values)?",
     "sum((x - 2) ** 2 for x in (1, 1, 3, 3)) / 4",
     {"2": "That is the mean.", "1.33": "That divides by one less.", "0": "The distances are squared before."}),
    ("logarithms", "ln(a) = 2 and ln(b) = 3. What is ln(a · b)?", "2 + 3",
     {"6": "Logarithms of a product add up.", "1.5": "That would be no rule at all.", "e⁵": "That is a · b itself."}),
    ("functions", "<code>def f(x, n=2): return x ** n</code>. What is <code>f(3)</code>?",
     "(lambda x, n=2: x ** n)(3)",
     {"6": "** is a power.", "an error": "n has a value of its own.", "8": "3 to the 2, not 2 to the 3."}),
    ("shares", "Of 200 pictures 15 % are cats, and a third of the cats are black. How many black cats?",
     "200 * 15 // 100 // 3",
     {"30": "Those are the cats.", "67": "A third of the cats only.", "5": "15 % of 200 are 30."}),
]  # fmt: skip


def items() -> list[Item]:
    """The questions with their right choices, computed."""
    return [
        Item(f"entry {number} {title}", f"<p>{question}</p>", _shown(eval(code)), "", tuple(wrong.items()))
        for number, (title, question, code, wrong) in enumerate(QUESTIONS, 1)
    ]


def _shown(value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)

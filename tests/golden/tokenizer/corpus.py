"""The text that the tokenizer goldens are trained on, and the random texts they are tested with.

Everything is composed here from fixed word lists and a fixed seed: no outside text, no licence. Code points are taken
from Unicode 14 (Python 3.11), so that a newer table in the library cannot change a result.
"""

import random
import unicodedata

NOUNS = "animal plant vessel instrument fluid garment disease theory person fabric metal river building feeling act " \
        "quality process device substance insect language measure shape surface vehicle".split()
ADJECTIVES = "small large hard soft ancient northern edible poisonous wooden transparent narrow bright unusual formal " \
             "tropical Chinese musical electric perennial".split()
VERBS = "carry hold cut measure move cover resemble produce contain express join separate heat record".split()
TAILS = ["used for cutting timber", "that isn't easily broken", "found in warm seas", "of the 19th century",
         "(usually plural)", "having 2 or more parts", "; \"he couldn't see it\"", "as of a person's character",
         "we've seen since 1984", "they'll keep for 10 days", "at about 3.14 or 1,000,000 units", "I'm sure he'd say so"]
CHINESE = ["一种小型动物", "用于切割木材的工具", "他不喜欢苹果，也不喜欢香蕉。", "语言模型可以学习文本", "北京是中国的首都", "我们今天去图书馆看书", "“你好！”她说", "二〇二四年的第一场雪", "机器学习的方法很多", "水的温度为三十度"]
CODE = ["for (int i = 0; i < n; ++i) {\n    sum += x[i];\n}\n", "def f(x):\n\treturn x ** 2\n", "if a != b && c->d == 0x1F:\n",
        "std::vector<int64_t> ids = {1, 2, 3};\n", "<a href=\"x.html\">link</a>\n", "SELECT * FROM t WHERE id = 42;\n"]
EMOJI = ["😀", "👍🏽", "👩‍👩‍👧‍👦", "🇨🇳", "❤️", "🏳️‍🌈", "1️⃣", "🧑🏿‍🚀"]
EUROPEAN = ["Über den Fluß geht die Brücke", "le café est fermé à l'été", "El niño comió piñas", "Привет, мир! Как дела?",
            "Η γλώσσα είναι ΣΟΦΟΣ", "ひらがなとカタカナ", "한국어 문장입니다", "שלום עולם", "مرحبا بالعالم", "नमस्ते दुनिया", "สวัสดีชาวโลก"]
NUMBERS = ["0", "7", "42", "007", "1234", "1234567890", "3.14159", "1e-5", "٣٤٥", "Ⅷ", "½", "²³", "１２３", "一千二百"]
SPACES = [" ", "  ", "   ", "\t", "\n", "\r\n", "\r", "\n\n", " \n", "\u00a0", "\u3000", "\u2003", "\u2028", "\u0085", "\u180e",
          "\u200b", "\x1c", "\x0b", "\ufeff"]
ODD = ["\x00", "\x01", "\x7f", "\ue000", "\uf8ff", "\U000f0000", "\u0301", "\u0308\u0301", "e\u0301", "\u00e9", "u\u0308", "ü", "A\u030a",
       "\u212b", "\uac01", "\u1100\u1161\u11a8", "\u0344", "\u0958", "\ufb01", "\ufffd", "\uffff", "\u0378", "\U0001d400", "\U0010ffff", "ſ", "K", "İ",
       "ǆ", "\u200d", "\ufe0f", "’s", "'S", "'LL", "'s", "'tis", "''", "…", "—", "“", "・", "_", "$", "+", "€", "^", "`", "\\", "~"]


def gloss(rng):
    return f"a {rng.choice(ADJECTIVES)} {rng.choice(NOUNS)} {rng.choice(['or', 'and', 'with a'])} " \
           f"{rng.choice(ADJECTIVES)} {rng.choice(NOUNS)} that {rng.choice(VERBS)}s {rng.choice(TAILS)}"


def training_lines(seed=7, count=900):
    rng = random.Random(seed)
    lines = []
    for _ in range(count):
        kind = rng.random()
        if kind < 0.55:
            lines.append(gloss(rng))
        elif kind < 0.75:
            lines.append("".join(rng.choices(CHINESE, k=2)))
        elif kind < 0.85:
            lines.append(rng.choice(CODE))
        elif kind < 0.95:
            lines.append(rng.choice(EUROPEAN) + " " + rng.choice(EMOJI) + " " + rng.choice(NUMBERS))
        else:
            lines.append(" ".join(rng.choices(NUMBERS, k=4)) + rng.choice(SPACES))
    return lines


def random_code_point(rng):
    """A code point of any plane that Unicode 14 assigns (private use and controls too), never a surrogate."""
    while True:
        limit = rng.choice([0x80, 0x250, 0x3000, 0x10000, 0x20000, 0x110000])
        c = chr(rng.randrange(limit))
        if unicodedata.category(c) not in ("Cs", "Cn"):
            return c


def piece(rng, added):
    kind = rng.randrange(12)
    if kind == 0:
        return rng.choice(SPACES) * rng.choice([1, 1, 2, 5])
    if kind == 1:
        return rng.choice(ODD) * rng.choice([1, 1, 1, 3])
    if kind in (2, 3, 4) and added:
        return rng.choice(added) * rng.choice([1, 1, 2])
    if kind == 5:
        return rng.choice(CHINESE)[: rng.randrange(1, 12)]
    if kind == 6:
        return rng.choice(EMOJI)
    if kind == 7:
        return rng.choice(NUMBERS)
    if kind == 8:
        return "".join(random_code_point(rng) for _ in range(rng.randrange(1, 5)))
    if kind == 9:
        return rng.choice(EUROPEAN)[: rng.randrange(1, 14)]
    if kind == 10:
        return rng.choice(CODE)[: rng.randrange(2, 24)]
    return rng.choice(gloss(rng).split()) + rng.choice(["", " ", ""])


def fixed_texts(added):
    """Texts that every tokenizer gets: the cases of which someone, somewhere, once got wrong."""
    texts = ["", " ", "  ", "a", "a ", " a", "\n", "\r\n", "\x00", "hello world", "Hello  World ", "it's we'll I'VE they're 'tis", "don’t",
             "a" * 300, "ab" * 150, " " * 300, "1" * 300, "é" * 100, "中" * 100, "😀" * 60, "\u0301" * 50, "\n" * 70, "aA1! " * 40,
             "1234567", "12 345 6789", "x=1;y=22;z=333", "tab\tsep\t\tend", "line\r\nline\r\n\r\nend", "  \n  \n", "a \n b", "end   ",
             "no\u00a0break\u3000wide", "\u00a0", "\u3000", "\u3000\u3000中", "a\u180eb", " \u180e ", "\u200b", "\ufeffBOM", "\x1c\x1d\x1e\x1f", "\x85x",
             "e\u0301tude", "cafe\u0301 caf\u00e9", "\u0301a", "a\u0301\u0327b", "\u212bngstrom", "\u1100\u1161\u11a8", "\ufb01ne",
             "Ünü übel", "über", "uber ü ber", "naïve ü", "<", "<a", "<a>", "<a><", "<a><b", "<a><b>", "<a><a><b><b>", "x<a><b>y", " word ",
             "word", "words", "sword", "word.", "(word)", "wordword", "word word", "word中", "中word", "word_", "_word", "word1", "wordé", "word\u0301",
             " zyxw", "zyxw", "zyxwv", " zyxwv", "a QQ b", "QQ", "中中", "中中中", "123", "123456", "x123",
             "你好", "你好你好", "说你好。", "    x", "     x", "        ", "\t    y", "a    b"]
    for token in added:
        texts += [token, "x" + token, token + "x", f"x {token} y", f"x  {token}  y", token + token, f"{token} {token}",
                  f"\n{token}\n", token[:-1], token[1:], token.upper(), f"中{token}文", f"\u00a0{token}\u3000"]
    return texts


def random_texts(seed, added, count):
    rng = random.Random(seed)
    return ["".join(piece(rng, added) for _ in range(rng.choice([1, 2, 3, 3, 4, 6, 8]))) for _ in range(count)]

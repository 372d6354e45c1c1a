"""Builds the segment pairs and the difficult strings for make_metrics.py, from a fixed seed.

Base text: WordNet glosses (Debian's wordnet-base, /usr/share/wordnet) and Chinese and mixed sentences written here.
Hypotheses are perturbed references, so that all n-gram orders and all kinds of zero counts occur.
"""

import random
import re
from pathlib import Path

WORDNET = Path("/usr/share/wordnet")
CHINESE = """我喜欢“苹果”，它很好吃。|北京是中国的首都，有两千多万人口。|语言模型可以从文本中学习。|他昨天（星期五）去了图书馆。|水的温度为三十度……太热了！
这个工具用于切割木材和金属。|机器翻译的质量用BLEU来衡量。|我们在2024年10月发布了3.5版本。|价格是￥1,299元，比去年低5%。|“你好吗？”她问道：“很久不见。”
深度学习需要大量的GPU和数据。|雪从早上一直下到晚上。|一种生活在热带水域的小型鱼类。|这本书讲述了一位老人的故事。|他说：‘不，我不同意’。|第二名选手以0.01秒之差落败。
𠀀是扩展区汉字，々也是。|ひらがなとカタカナと漢字。|〇一二三四五六七八九十|全角ＡＢＣ１２３和半角abc123混排""".replace("\n", "|").split("|")
MIXED = """The word 苹果 means "apple" in Chinese.|Visit https://example.com/a?b=1&c=2 for more (e.g. v2.0)!|Costs $3.50/kg -- about 4,000.5 units; 50% off.
Tom &amp; Jerry said: &quot;2 &lt; 3&quot; &gt; nothing|<skipped> text with <b>tags</b> and a trail-ing hyphen|Über 1.000 Gäste kamen zum Café.|naïve façade – coöperate — ‘quoted’ “text” … €5
Don't can't won't it's they're o'clock 'tis|U.S. GDP grew 3.2% in Q1-2024, i.e. 1,234,567.89 dollars.|a-b c--d e---f 1-2 3–4 x/y \\n|İstanbul ΣΟΦΟΣ STRASSE ß K Å|١٢٣ ４５６ ½ ² Ⅷ
emoji 😀👍🏽 family 👩‍👩‍👧‍👦 flag 🇨🇳 done|no\u00a0break\u3000wide\u2003em\u2028line|tab\there and there|&amp;quot; double escape &amp;lt;|#hash @user $var ^caret ~tilde `tick` |pipe""".replace("\n", "|").split("|")
PUNCTUATION = ["!", "...", "?!", "- - -", ".", ",,,", "()", "\"\"", "1.", ".5", "a.", "3,", ",3", "1,2.3", "-", "&", "&amp;", "&lt;&gt;", "  ", "\t", "。", "，！"]


def wordnet_glosses():
    glosses = []
    for name in ("data.noun", "data.verb", "data.adj", "data.adv"):
        for line in (WORDNET / name).read_text(encoding="latin-1").splitlines():
            if not line.startswith("  ") and " | " in line:
                glosses.append(line.split(" | ", 1)[1].strip())
    return glosses


def wordnet_lemmas():
    """All single-word lemmas of ASCII letters and digits, sorted."""
    words = set()
    for name in ("index.noun", "index.verb", "index.adj", "index.adv"):
        for line in (WORDNET / name).read_text(encoding="latin-1").splitlines():
            word = line.split(" ", 1)[0]
            if re.fullmatch(r"[a-z0-9]+", word):
                words.add(word)
    return sorted(words)


def units(text):
    """Words, or single characters where there are no spaces."""
    words = text.split(" ")
    return (list(text), "") if len(words) < 3 else (words, " ")


def perturb(rng, text):
    """Deletes, repeats, swaps, replaces or re-cases a few units."""
    parts, glue = units(text)
    for _ in range(rng.choice([0, 1, 1, 2, 4])):
        if not parts:
            break
        i, kind = rng.randrange(len(parts)), rng.randrange(7)
        if kind == 0:
            del parts[i]
        elif kind == 1:
            parts.insert(i, parts[i])
        elif kind == 2:
            j = rng.randrange(len(parts))
            parts[i], parts[j] = parts[j], parts[i]
        elif kind == 3:
            parts[i] = rng.choice(["the", "of", "a", "running", "formalities", "的", "苹果", "3.5", "&amp;", "ABC"])
        elif kind == 4:
            parts[i] = parts[i].swapcase()
        elif kind == 5:
            parts = parts[: max(1, i)]
        else:
            parts[i] += rng.choice(["s", "ing", "ly", ",", ".", "!", "-", "\u3000", "。"])
    return glue.join(parts)


def inflect(rng, text):
    """Changes word endings, so that the stemmer has something to undo."""
    words = text.split(" ")
    for i, word in enumerate(words):
        if len(word) > 3 and word.isalpha() and rng.random() < 0.35:
            stem = word[:-1] if word.endswith(("e", "s", "y")) else word
            words[i] = stem + rng.choice(["s", "es", "ed", "ing", "ies", "ation", "ational", "ness", "ly", "er", "ment"])
    return " ".join(words)


def with_lines(rng, text):
    """Breaks a text into lines (ROUGE-Lsum splits at \\n only), now and then with empty lines or CRLF."""
    words, lines = text.split(" "), []
    while words:
        n = rng.randrange(1, 7)
        lines.append(" ".join(words[:n]))
        words = words[n:]
    if rng.random() < 0.3:
        rng.shuffle(lines)
    return rng.choice(["\n", "\n", "\n\n", "\r\n", "-\n"]).join(lines)


def segment(rng, glosses):
    kind = rng.random()
    if kind < 0.50:
        base = rng.choice(glosses)[:160]
    elif kind < 0.72:
        base = rng.choice(CHINESE) + (rng.choice(CHINESE) if rng.random() < 0.3 else "")
    elif kind < 0.92:
        base = rng.choice(MIXED)
    else:
        base = rng.choice(PUNCTUATION)
    references = [base] + [perturb(rng, base) for _ in range(rng.choice([0, 0, 1, 2]))]
    hypothesis = perturb(rng, rng.choice(references))
    if rng.random() < 0.4:
        hypothesis = inflect(rng, hypothesis)
    special = rng.random()
    if special < 0.02:
        hypothesis = ""
    elif special < 0.03:
        references = [""] * len(references)
    elif special < 0.08:
        hypothesis = rng.choice(glosses)[:100]  # unrelated
    elif special < 0.25:
        hypothesis, references[0] = with_lines(rng, hypothesis), with_lines(rng, references[0])
    elif special < 0.29:
        hypothesis = rng.choice([" ", "\t", "\n", "\u00a0"]) + hypothesis + rng.choice([" ", "\n", "\u3000", "\r\n"])
    return {"hyp": hypothesis, "refs": references}


def segments(count, seed=11):
    rng = random.Random(seed)
    glosses = wordnet_glosses()
    return [segment(rng, glosses) for _ in range(count)]


SPACE_LIKE = [chr(c) for c in (0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x1C, 0x1D, 0x1E, 0x1F, 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028,
                               0x2029, 0x202F, 0x205F, 0x3000)]
NOT_SPACE = [chr(c) for c in (0x00, 0x08, 0x0E, 0x1B, 0x7F, 0x84, 0x86, 0x180E, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, 0x2027, 0x202A)]
LETTERS = ["A", "É", "Σ", "ΑΣ", "ΑΣ.", "ΑΣΑ", "Σ Σ", "ΟΔΥΣΣΕΥΣ'", "ΑΣ\u0301", "İ", "I", "ı", "K", "Å", "ẞ", "ß", "Ǆ", "ǅ", "Ω", "Ѐ", "Ა", "Ⴀ", "Ꭰ",
           "Ａ", "Ⅷ", "Ⓐ", "𐐀", "𞤀", "ﬁ", "ŉ", "ΐ", "中", "a", "😀", "ᾈ", "ǰ", "Ⱥ", "Ꙁ", "\u0345"]


def pytext_strings(count, seed=5):
    rng = random.Random(seed)
    texts = ["", "\r\n", "a\r\nb", "a\n\rb", "a\r\n\r\nb\n", "a\u2028b\u2029", "\x1ca\x1db\x1ec\x1fd", "a\x85b"]
    texts += [f"a{c}b{c}" for c in SPACE_LIKE + NOT_SPACE] + [c for c in SPACE_LIKE + NOT_SPACE] + LETTERS
    for _ in range(count):
        texts.append("".join(rng.choice(rng.choice([SPACE_LIKE, NOT_SPACE, LETTERS, ["a", "b1", "\r\n"]])) for _ in range(rng.randrange(1, 9))))
    return texts


def tokenizer_strings(count, seed=6):
    rng = random.Random(seed)
    symbols = list("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") + ["&quot;", "&amp;", "&lt;", "&gt;", "<skipped>", "-\n", "\n", " ", "  ", "\t", "\u3000", "\u00a0"]
    symbols += list("0123456789") + ["1,000", "3.14", "-5", "1-2"] + list("abcXYZ") + list("éßΣ中文字々〇。，“”…–€") + ["𠀀", "ひ", "カ", "１", "Ａ", "²", "½", "٣", "Ⅷ", "\u2001", "\u2fdf"]
    symbols += ["\ua6d6", "\U0001f600", "\u0301", "\ue000", "\x00", "\x1c", "\ufe10", "\ufa6b", "\u9fbc", "\u31a0", "$", "+", "^", "♥", "№", "™"]
    texts = CHINESE + MIXED + PUNCTUATION
    return texts + ["".join(rng.choice(symbols) for _ in range(rng.randrange(1, 14))) for _ in range(count)]

"""Reads the RON that the program writes: cards and networks. `train.ron`, which people write, is read by the
program alone."""

import re

TOKEN = re.compile(r'\s*(?:("(?:[^"\\]|\\.)*")|([\[\]():,])|([^\s\[\]():,"]+))', re.S)
NAMED = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}
WORDS = {"true": True, "false": False, "None": None}


class Some(dict):
    """Named fields that are there where they may be missing: written as `Some((..))`."""


def text_of(quoted):
    """The text that a quoted string stands for."""

    def letter(found):
        code, char = found.group(2), found.group(1)
        return chr(int(code, 16)) if code else NAMED.get(char, char)

    return re.sub(r"\\(u\{([0-9a-fA-F]+)\}|.)", letter, quoted[1:-1], flags=re.S)


def number(word):
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            pass
    return WORDS.get(word, word)


class Reader:
    def __init__(self, text):
        self.tokens = [next(t for t in found if t) for found in TOKEN.findall(text)]
        self.at = 0

    def take(self):
        self.at += 1
        return self.tokens[self.at - 1]

    def peek(self, ahead=0):
        place = self.at + ahead
        return self.tokens[place] if place < len(self.tokens) else ""

    def value(self):
        token = self.take()
        if token[0] == '"':
            return text_of(token)
        if token in "([":
            return self.inside(token)
        if self.peek() != "(":
            return number(token)
        self.take()
        held = self.inside("(")
        if token == "Some" and isinstance(held, list):
            return held[0]
        return {token: held}

    def inside(self, opened):
        """What stands in brackets: named fields as a dictionary, or a list."""
        close = ")" if opened == "(" else "]"
        fields, items = {}, []
        while self.peek() != close:
            if self.peek(1) == ":":
                name = self.take()
                self.take()
                fields[name] = self.value()
            else:
                items.append(self.value())
            if self.peek() == ",":
                self.take()
        self.take()
        return fields if fields else items


def read(path):
    """The value in a file."""
    with open(path, encoding="utf-8") as f:
        text = f.read()
    try:
        return Reader(text).value()
    except IndexError:
        raise SystemExit(f"{path}: ends before its brackets close") from None

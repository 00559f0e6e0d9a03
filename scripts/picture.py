#!/usr/bin/env python3
"""scripts/picture.py DEMO MiB OUT.svg: runs the demo on a terminal of its own and draws that terminal's last screen."""

import fcntl
import os
import pty
import re
import struct
import sys
import termios
from xml.sax.saxutils import escape

COLUMNS, CELL, LINE, MARGIN = 100, 8.4, 20, 18
COLOURS = {31: "#ff7b72", 32: "#56d364", 33: "#e3b341", 36: "#56d4dd"}
INK, DIM, PAPER = "#e6edf3", "#8b949e", "#0d1117"
BLOCKS = {block: eighths / 8 for eighths, block in enumerate("▏▎▍▌▋▊▉█", 1)}


def run_on_a_terminal(command):
    """What the command wrote to a terminal of 100 columns."""
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(TERM="xterm-256color")
        os.environ.pop("NO_COLOR", None)
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 60, COLUMNS, 0, 0))
        os.execvp(command[0], command)
    output = b""
    try:
        while data := os.read(terminal, 65536):
            output += data
    except OSError:  # the other end is closed
        pass
    if os.waitpid(child, 0)[1] != 0:
        sys.exit("the demo failed:\n" + output.decode())
    return output.decode().replace("\r\n", "\n")


def screen(output):
    """Lines of cells (character, style), as a terminal shows them in the end."""
    lines, column, style = [[]], 0, (INK, False)
    for token in re.findall(r"\x1b\[[0-9;]*[A-Za-z]|.", output, re.DOTALL):
        if token == "\n":
            lines.append([])
            column = 0
        elif token == "\r":
            column = 0
        elif token == "\x1b[K":
            del lines[-1][column:]
        elif token.startswith("\x1b["):
            code = int(token[2:-1] or 0)
            style = {0: (INK, False), 1: (INK, True), 2: (DIM, False)}.get(code) or (COLOURS[code], False)
        else:
            lines[-1][column : column + 1] = [(token, style)]
            column += 1
    while lines and not lines[-1]:
        lines.pop()
    return lines


def kind(cell):
    character, style = cell
    return style, character in BLOCKS, character == "░"


def runs(line):
    """Neighbours of one style: (column, text, style). Bars are runs of their own."""
    start = 0
    for end in range(1, len(line) + 1):
        if end == len(line) or kind(line[end]) != kind(line[start]):
            yield start, "".join(character for character, _ in line[start:end]), line[start][1]
            start = end


def draw(lines):
    width, height = 2 * MARGIN + COLUMNS * CELL, 2 * MARGIN + 16 + len(lines) * LINE
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" '
        'font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,DejaVu Sans Mono,monospace" font-size="14">'
    )
    yield "<title>The demo: a live database is backed up while the game runs</title>"
    yield f'<rect width="{width:g}" height="{height:g}" rx="10" fill="{PAPER}"/>'
    for i, colour in enumerate(("#ff5f57", "#febc2e", "#28c840")):
        yield f'<circle cx="{MARGIN + 4 + i * 18}" cy="16" r="5.5" fill="{colour}"/>'
    for row, line in enumerate(lines):
        top = MARGIN + 16 + row * LINE
        for column, text, (colour, bold) in runs(line):
            x, wide = MARGIN + column * CELL, len(text) * CELL
            if text[0] in BLOCKS or text[0] == "░":
                wide = sum(BLOCKS.get(block, 1) for block in text) * CELL
                faint = ' opacity=".35"' if text[0] == "░" else ""
                yield f'<rect x="{x:.1f}" y="{top + 4}" width="{wide:.1f}" height="{LINE - 8}" fill="{colour}"{faint}/>'
            elif text.strip():
                weight = ' font-weight="bold"' if bold else ""
                yield (
                    f'<text x="{x:.1f}" y="{top + 15}" fill="{colour}"{weight} textLength="{wide:.1f}" '
                    f'lengthAdjust="spacingAndGlyphs" xml:space="preserve">{escape(text)}</text>'
                )
    yield "</svg>"


def main():
    demo, mebibytes, out = sys.argv[1:]
    lines = screen(run_on_a_terminal([demo, mebibytes]))
    with open(out, "w", encoding="utf-8") as file:
        file.write("\n".join(draw(lines)) + "\n")


main()

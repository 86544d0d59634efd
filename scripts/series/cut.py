#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# What a patch has of new files that come in parts.
#
# Usage: scripts/series/cut.py SERIES OVERLAY OUT PATCH...
#
# A line of a patch's list `new-files` is a path, or `path: NAME...`.  The latter
# says that these definitions of a file which an earlier patch brings come with
# this one: functions, types, macros, objects, or a field as TYPE.FIELD.  Until
# then the file is without them.  A header is without the declarations and stubs
# of functions that no patch has brought yet, and needs no names for that.
#
# For each patch the files that change with it go to OUT/PATCH.  No line of the
# overlay is lost, since all that a patch can do is to leave less of it out.

import os
import re
import sys

COMMENT = re.compile(r'/\*.*?\*/', re.S)
HEADING = re.compile(r'/\* \w+\.c \*/$')


def blank(text):
    """The text with comments and strings as spaces."""
    def hide(match):
        return re.sub(r'[^\n]', ' ', match.group(0))
    return re.sub(r'/\*.*?\*/|"(\\.|[^"\\\n])*"|\'(\\.|[^\'\\\n])+\'', hide,
                  text, flags=re.S)


def name_of(item):
    """What an item defines or declares, or None."""
    code = blank(item).strip()
    for pattern in (r'#define\s+(\w+)', r'(?:struct|enum|union)\s+(\w+)\s*\{',
                    r'\w[\w\s]*\bDEFINE_\w+\((\w+)'):
        match = re.match(pattern, code)
        if match:
            return match.group(1)
    if not code or code.startswith('#'):
        return None
    head = re.split(r'[={;]', code)[0]
    match = re.search(r'(\w+)\s*\(', head) or re.search(r'(\w+)[\[\]\w]*\s*$', head)
    return match.group(1) if match else None


def split(text):
    """Paragraphs of items: (separator, [(name, item)...])..."""
    depth = 0
    paragraphs, items, item = [], [], ''
    for line, code in zip(text.splitlines(True), blank(text).splitlines(True)):
        inside = text_in_comment(item)
        if not line.strip() and not depth and not inside:
            if item:
                items.append(item)
            paragraphs.append((items, line))
            items, item = [], ''
            continue
        item += line
        depth += code.count('{') - code.count('}')
        if depth or text_in_comment(item) or item.rstrip().endswith('\\'):
            continue
        if HEADING.match(item.strip()) or re.search(r'[;}]\s*$', code) or \
           (code.startswith('#') and not item.rstrip().endswith('\\')):
            items.append(item)
            item = ''
    if item:
        items.append(item)
    paragraphs.append((items, ''))
    return paragraphs


def text_in_comment(text):
    return text.count('/*') > text.count('*/')


def cut_fields(item, fields):
    for field in fields:
        item = re.sub(r'^ \* @%s:.*\n(?: \*(?:\t| {2}).*\n)*' % field, '', item,
                      flags=re.M)
        item = re.sub(r'^\t[^\n*/]*\W%s(?:\[\w*\])?(?::\d+)?;.*\n' % field, '', item,
                      flags=re.M)
    return item


def cut(text, gone):
    """The text without the definitions in gone."""
    out = ''
    for items, end in split(text):
        keep = []
        for item in items:
            name = name_of(item)
            fields = [n.split('.')[1] for n in gone
                      if name and n.startswith(name + '.')]
            if name not in gone:
                keep.append(cut_fields(item, fields))
        rest = [i for i in keep if not HEADING.match(i.strip())]
        if rest or not items:
            out += ''.join(keep) + end
    return out.rstrip('\n') + '\n'


def exports_in(text):
    """Of the definitions that a header may declare."""
    return {name_of(item) for items, _ in split(text) for item in items
            if not re.match(r'#|static\b', blank(item).strip())} - {None}


def names_in(text):
    """Of all definitions, and of all fields."""
    names = set()
    for items, _ in split(text):
        for item in items:
            name = name_of(item)
            if not name:
                continue
            names.add(name)
            for field in re.findall(r'(\w+)(?:\[\w*\])?(?::\d+)?;', blank(item)):
                names.add('%s.%s' % (name, field))
    return names


def read_lists(series, patches):
    """Paths by the patch that brings them; names that come later, by path."""
    first, later = {}, {}
    for i, patch in enumerate(patches):
        path = os.path.join(series, patch, 'new-files')
        lines = open(path).read().splitlines() if os.path.exists(path) else []
        for line in lines:
            line = line.split('#')[0].strip()
            path, parts, names = line.partition(':')
            if not line:
                continue
            if not parts:
                first.setdefault(path, i)
                continue
            if first.get(path, i) == i:
                sys.exit('%s: new-files: no earlier patch brings %s' % (patch, path))
            for name in names.split():
                later.setdefault(path, {})[name] = i
    return first, later


def main(series, overlay, out, *patches):
    first, later = read_lists(series, patches)
    text, comes = {}, {}
    for path in first:
        full = os.path.join(overlay, path)
        if not os.path.exists(full) or not re.search(r'\.[ch]$', path):
            continue            # whoever called says what is wrong, if anything
        text[path] = open(full).read()
        names = names_in(text[path]) if path in later else set()
        for name in later.get(path, {}):
            if name not in names:
                sys.exit('%s: new-files: %s has no %s' %
                         (patches[later[path][name]], path, name))
        if path.endswith('.c'):
            here = comes.setdefault(os.path.dirname(path), {})
            for name in exports_in(text[path]):
                here[name] = later.get(path, {}).get(name, first[path])
    for path in text:
        when = dict(later.get(path, {}))
        if path.endswith('.h'):
            for name, i in comes.get(os.path.dirname(path), {}).items():
                when.setdefault(name, i)
        before = None
        for i in range(first[path], len(patches)):
            gone = {n for n, k in when.items() if k > i}
            now = cut(text[path], gone) if gone else text[path]
            if now != before:
                target = os.path.join(out, patches[i], path)
                os.makedirs(os.path.dirname(target), exist_ok=True)
                with open(target, 'w') as file:
                    file.write(now)
            before = now


main(*sys.argv[1:])

// Package pages reads the shell blocks of the project's Markdown pages for the tests that run them, and says which test that is.
package pages

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// A Block is a block of shell commands in a Markdown page. A block without a language counts as one, whether it is fenced or
// indented, so everything else in a page's blocks needs a fence that names its language.
type Block struct {
	Page     string // path from the top of the repository, such as "docs/kubernetes.md"
	Heading  string // the nearest heading above it
	Line     int    // line number of its first line, from 1
	Text     string // without fences and indentation
	After    string // the first line of text after it
	Commands []Command
}

// String names the block in messages.
func (b Block) String() string { return fmt.Sprintf("%s:%d (%s)", b.Page, b.Line, b.Heading) }

// A Command is one command of a block.
type Command struct {
	Line    string // as it stands in the page, but for the comment. It has several lines if it continues on them
	Comment string // behind it, without "#"
	Output  string // what the page shows below it, in a block of the language console; else empty
}

// Prints reports whether output is what the page shows. An ellipsis there stands for any text.
func (c Command) Prints(output string) bool {
	want := strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(c.Output)), "…", ".*")
	return regexp.MustCompile(`(?s)^` + want + `$`).MatchString(strings.TrimSpace(output))
}

var (
	shells  = []string{"", "sh", "bash", "shell", "console"}
	fence   = regexp.MustCompile("^( *)(```+|~~~+) *([a-zA-Z-]*)")
	heading = regexp.MustCompile(`^#{1,6} +(.*?)(?: +#+)?$`)
	item    = regexp.MustCompile(`^ {0,3}(?:[-*+]|\d+[.)]) +`)
)

// Parse returns the shell blocks of a page. An error names the line of a command or fence that does not end.
func Parse(page, text string) (blocks []Block, err error) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	title, margin, inText := "", 0, false // margin: where the text of a list's item begins
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		begin, language, body := i, "", []string(nil)
		if m := fence.FindStringSubmatch(line); m != nil {
			language, begin = m[3], i+1
			for i++; i < len(lines) && strings.TrimSpace(lines[i]) != m[2]; i++ {
				body = append(body, strings.TrimPrefix(lines[i], m[1]))
			}
			if i == len(lines) {
				return nil, fmt.Errorf("%s:%d: this fence does not end", page, begin)
			}
			inText = false
		} else if code := strings.Repeat(" ", margin+4); !inText && strings.HasPrefix(line, code) {
			for i < len(lines) && (strings.HasPrefix(lines[i], code) || strings.TrimSpace(lines[i]) == "") {
				body = append(body, strings.TrimPrefix(lines[i], code))
				i++
			}
			i--
		} else {
			m := heading.FindStringSubmatch(line)
			switch {
			case m != nil:
				title, margin, inText = m[1], 0, false
			case strings.TrimSpace(line) == "":
				inText = false
			case item.MatchString(line):
				margin, inText = len(item.FindString(line)), true
			case !strings.HasPrefix(line, " ") && !inText:
				margin, inText = 0, true
			default:
				inText = true
			}
			continue
		}
		if !slices.Contains(shells, language) {
			continue
		}
		b := Block{Page: page, Heading: title, Line: begin + 1, Text: strings.TrimRight(strings.Join(body, "\n"), "\n")}
		if b.Commands, err = commandsOf(b.Text, language == "console"); err != nil {
			return nil, fmt.Errorf("%s: %w", b, err)
		}
		for j := i + 1; j < len(lines) && b.After == ""; j++ {
			b.After = strings.TrimSpace(lines[j])
		}
		blocks = append(blocks, b)
	}
	return blocks, nil
}

// commandsOf splits a block into commands. In a console each begins with a prompt, and what follows is its output.
func commandsOf(text string, console bool) (commands []Command, err error) {
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if console {
			prompted, ok := strings.CutPrefix(line, "$ ")
			if !ok && len(commands) == 0 {
				return nil, fmt.Errorf("a console begins with a command behind %q, not with %q", "$ ", line)
			}
			if !ok {
				commands[len(commands)-1].Output += line + "\n"
				continue
			}
			line = prompted
		}
		for !complete(line) {
			if i++; i == len(lines) {
				return nil, fmt.Errorf("this command does not end: %s", line)
			}
			line += "\n" + lines[i]
		}
		command, comment := cutComment(line)
		if command != "" {
			commands = append(commands, Command{Line: command, Comment: comment})
		}
	}
	return commands, nil
}

var document = regexp.MustCompile(`(?:^|[^<])<<-?\s*['"]?(\w+)['"]?`)

// complete reports whether a command ends here: with no open quote, no backslash, and with the end of its here-document.
func complete(command string) bool {
	first, rest, _ := strings.Cut(command, "\n")
	if m := document.FindStringSubmatch(first); m != nil {
		return slices.Contains(strings.Split(rest, "\n"), m[1])
	}
	_, quote := scan(command)
	return quote == 0 && !strings.HasSuffix(command, `\`)
}

// cutComment splits a command from its comment.
func cutComment(line string) (command, comment string) {
	at, _ := scan(line)
	return strings.TrimSpace(line[:at]), strings.TrimSpace(strings.TrimPrefix(line[at:], "#"))
}

// scan finds where a comment begins, which is the end of the text if there is none, and the quote that is open there, if any.
func scan(text string) (comment int, quote byte) {
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote == '\'' && c != '\'':
		case c == '\\':
			i++
		case c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
		case quote == 0 && c == '#' && (i == 0 || strings.IndexByte(" \t\n", text[i-1]) >= 0):
			return i, 0
		}
	}
	return len(text), quote
}

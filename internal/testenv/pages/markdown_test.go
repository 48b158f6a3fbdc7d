package pages

import (
	"fmt"
	"strings"
	"testing"
)

func TestShellBlocksOfAPage(t *testing.T) {
	for _, tc := range []struct {
		name, page string
		want       []string // heading, line: command # comment = output
	}{
		{"indented behind a heading", "# Title\n    make demo   # half a minute\n    make test\n\nText.\n", []string{"Title, 2: make demo # half a minute", "Title, 2: make test"}},
		{"indented behind text is text", "Text\n    that goes on.\n", nil},
		{"indented behind an empty line", "Text\n\n    make\n\n    make test\nText\n", []string{", 3: make", ", 3: make test"}},
		{"indented in a list is text unless it is indented more", "- item\n\n    text\n\n      make\n\nText\n\n    make test\n", []string{", 5: make", ", 9: make test"}},
		{"a numbered list", "12. item\n\n        make\n", []string{", 3: make"}},
		{"fenced", "## A `b` c ##\n```sh\nmake\n```\n~~~\nmake test\n~~~\n", []string{"A `b` c, 3: make", "A `b` c, 6: make test"}},
		{"fenced in a list", "- item\n  ```bash\n  make\n  ```\n", []string{", 3: make"}},
		{"other languages are skipped", "```yaml\nkey: value\n```\n\n``` toml\nkey = 1\n```\n", nil},
		{"a fence hides headings and indentation", "# Title\n```go\n# no title\n\n    code\n```\n\n    make\n", []string{"Title, 8: make"}},
		{"continued lines", "    a \\\n      b   # c\n    d\n", []string{", 1: a \\\n  b # c", ", 1: d"}},
		{"an open quote", "    a 'b\n    c' # d\n", []string{", 1: a 'b\nc' # d"}},
		{"a here-document", "```sh\na <<'END' # no comment\nb # c\n'\nEND\nd\n```\n", []string{", 2: a <<'END' # no comment\nb # c\n'\nEND", ", 2: d"}},
		{"a here-string", "    a <<<b\n    c\n", []string{", 1: a <<<b", ", 1: c"}},
		{"what is no comment", "    a '# b' \"# c\" d#e $#\n    # all\n", []string{`, 1: a '# b' "# c" d#e $#`}},
		{"a console", "```console\n$ a # b\nc\n\nd\n$ e\n```\n", []string{", 2: a # b = c\n\nd\n", ", 2: e"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			blocks, err := Parse("page.md", tc.page)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, b := range blocks {
				for _, c := range b.Commands {
					text := fmt.Sprintf("%s, %d: %s", b.Heading, b.Line, c.Line)
					if c.Comment != "" {
						text += " # " + c.Comment
					}
					if c.Output != "" {
						text += " = " + c.Output
					}
					got = append(got, text)
				}
			}
			if strings.Join(got, "\n--\n") != strings.Join(tc.want, "\n--\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n--\n"), strings.Join(tc.want, "\n--\n"))
			}
		})
	}
}

func TestPagesThatCannotBeRead(t *testing.T) {
	for _, tc := range []struct{ name, page, want string }{
		{"a fence without an end", "Text\n\n```sh\nmake\n", "page.md:3: this fence does not end"},
		{"a quote without an end", "# Title\n```sh\necho 'a\n```\n", "page.md:3 (Title): this command does not end: echo 'a"},
		{"a here-document without an end", "```sh\ncat <<END\na\n```\n", "this command does not end"},
		{"a console without a prompt", "```console\nmake\n```\n", `begins with a command behind "$ ", not with "make"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := Parse("page.md", tc.page); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, page := range []string{"# Title\n    make # comment\n", "- a\n\n      b \\\n c\n", "```sh\na <<'E'\nE\n```\ntext\n", "~~~console\n$ a\nb\n~~~\n"} {
		f.Add(page)
	}
	f.Fuzz(func(t *testing.T, page string) {
		blocks, err := Parse("page.md", page)
		for _, b := range blocks {
			if err != nil || b.Line < 1 || b.Line > strings.Count(page, "\n")+1 {
				t.Errorf("%v, %v", b, err)
			}
			for _, c := range b.Commands {
				if c.Line == "" || !strings.Contains(page, strings.Split(c.Line, "\n")[0]) {
					t.Errorf("the page does not have the command %q of %s", c.Line, b)
				}
			}
		}
	})
}

func TestTheTextAfterABlock(t *testing.T) {
	blocks, err := Parse("page.md", "    make\n\n\nIt prints `all`.\n\n```sh\nmake\n```\n")
	if err != nil || len(blocks) != 2 || blocks[0].After != "It prints `all`." || blocks[1].After != "" {
		t.Errorf("got %+v, %v", blocks, err)
	}
}

func TestOutputIsComparedWithThePage(t *testing.T) {
	for _, tc := range []struct {
		page, output string
		want         bool
	}{
		{"ready is https://127.0.0.1:1\n", "ready is https://127.0.0.1:1\n", true},
		{"ready is https://127.0.0.1:1\n", "ready is https://127.0.0.1:12\n", false},
		{"ready at http://…\n", "ready at http://127.0.0.1:12\n", true},
		{"ready at http://…\n", "already at http://127.0.0.1:12\n", false},
		{"first\n…\nlast\n", "first\nsecond\nthird\nlast\n", true},
		{"", "anything", false},
	} {
		if got := (Command{Output: tc.page}).Prints(tc.output); got != tc.want {
			t.Errorf("the page shows %q, and the output %q agrees: %v, want %v", tc.page, tc.output, got, tc.want)
		}
	}
}

package yamlfile

import (
	"bytes"
	"fmt"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

var yamlError = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)`)

// explain words the parser's error with the line at which reading fails. The parser names the line at which the list or mapping
// around it begins, which can be far above.
func explain(data []byte, err error) string {
	parts := yamlError.FindStringSubmatch(err.Error())
	if parts == nil {
		return strings.TrimPrefix(err.Error(), "yaml: ")
	}
	told, _ := strconv.Atoi(parts[1]) // 0 where it names none
	line := max(told, failingLine(data, err.Error()))
	switch {
	case line == 0:
		return parts[2]
	case told == 0 || told == line:
		return fmt.Sprintf("line %d: %s", line, parts[2])
	}
	return fmt.Sprintf("line %d: %s, in what begins at line %d", line, parts[2], told)
}

// searchLimit is the largest file that is searched for a line, in bytes: a search reads it some ten times.
const searchLimit = 256 << 10

// failingLine is the first line up to which the file fails in the way that all of it does: the parser reads no further than the
// mistake. It is 0 for a file that is too large to search.
func failingLine(data []byte, says string) int {
	if len(data) > searchLimit {
		return 0
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	return sort.Search(len(lines), func(i int) bool {
		err := yaml.Unmarshal(bytes.Join(lines[:i], nil), new(yaml.Node))
		return err != nil && err.Error() == says
	})
}

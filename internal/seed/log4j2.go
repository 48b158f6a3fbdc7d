package seed

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// logger is one of the agent's loggers in log4j2.properties.
type logger struct{ id, name, why string }

// loggers silence what Tomcat logs at each reload of the TLS certificates. An error is still logged.
func loggers() []logger {
	return []logger{
		{"wso2agent-certificate", "org.apache.tomcat.util.net.NioEndpoint.certificate", "without it Tomcat logs each reload of the TLS certificate, once a minute"},
		{"wso2agent-truststore", "org.apache.tomcat.util.net.SSLUtilBase", "without it Tomcat logs the expired certificates of the truststore at each reload"},
	}
}

// lines returns the definition of a logger, as the agent writes it.
func (l logger) lines(newline string) string {
	return strings.Join([]string{l.comment(), "logger." + l.id + ".name = " + l.name, "logger." + l.id + ".level = ERROR", ""}, newline)
}

func (l logger) comment() string { return "# " + l.id + ": " + l.why }

// property is one logical line of a properties file: a setting, a comment, or nothing. A setting may go over several lines.
type property struct {
	start, value, end int    // in the text: of the line, of the value, and behind the line end
	key               string // as written; empty for a line without a setting
	text              string // the value, with its lines joined; a comment as written
}

// propertiesOf splits a properties file as java.util.Properties does. It leaves escapes as they are.
func propertiesOf(text []byte) (out []property) {
	for at := 0; at < len(text); {
		p := property{start: at}
		at += blanks(text[at:])
		comment := at < len(text) && (text[at] == '#' || text[at] == '!')
		var joined []byte
		var offsets []int // in the text, of each joined byte
		for {
			n := bytes.IndexAny(text[at:], "\r\n")
			if n < 0 {
				n = len(text) - at
			}
			line, last := text[at:at+n], comment || !continues(text[at:at+n])
			if !last {
				line = line[:n-1]
			}
			for i, c := range line {
				joined, offsets = append(joined, c), append(offsets[:len(joined)], at+i)
			}
			offsets = append(offsets[:len(joined)], at+len(line))
			at += n + lineEnd(text[at+n:])
			if last || at == len(text) {
				break
			}
			at += blanks(text[at:])
		}
		p.end, p.text = at, string(joined)
		if !comment && len(joined) > 0 {
			key, sep := splitKey(joined)
			p.key, p.text, p.value = string(joined[:key]), string(joined[sep:]), offsets[sep]
		}
		out = append(out, p)
	}
	return out
}

func blanks(text []byte) int { return len(text) - len(bytes.TrimLeft(text, " \t\f")) }

func lineEnd(text []byte) int {
	switch {
	case bytes.HasPrefix(text, []byte("\r\n")):
		return 2
	case len(text) > 0:
		return 1
	}
	return 0
}

// continues reports whether a line ends with an odd number of backslashes.
func continues(line []byte) bool {
	return (len(line)-len(bytes.TrimRight(line, `\`)))%2 == 1
}

// splitKey returns where the key of a setting ends, and where its value begins.
func splitKey(line []byte) (key, value int) {
	for key < len(line) && !bytes.ContainsRune([]byte("=: \t\f"), rune(line[key])) {
		if line[key] == '\\' {
			key++
		}
		key++
	}
	key = min(key, len(line))
	value = key + blanks(line[key:])
	if value < len(line) && (line[value] == '=' || line[value] == ':') {
		value++
		value += blanks(line[value:])
	}
	return key, value
}

// loggersOf returns the list of loggers, and the names of all loggers that are defined, by their ids. list is nil if there is
// none. Then every defined logger counts.
func loggersOf(properties []property) (list *property, names map[string]string) {
	names = map[string]string{}
	for i, p := range properties {
		if p.key == "loggers" { // of several settings with one key the last one counts
			list = &properties[i]
		}
		if id, ok := strings.CutPrefix(p.key, "logger."); ok && strings.HasSuffix(id, ".name") {
			names[strings.TrimSuffix(id, ".name")] = strings.TrimSpace(p.text)
		}
	}
	return list, names
}

// withLoggers adds the agent's loggers that the text lacks. They stand before the list of loggers, which begins with their ids.
func withLoggers(text []byte) ([]byte, error) {
	for _, l := range loggers() {
		list, names := loggersOf(propertiesOf(text))
		if list != nil && strings.TrimSpace(list.text) == "" {
			return nil, fmt.Errorf("%w: the list of loggers is empty", errNoPlace)
		}
		if isActive(l.name, list, names) {
			continue
		}
		text = l.removed(text)
		list, _ = loggersOf(propertiesOf(text))
		newline := newlineOf(text)
		if list == nil {
			text = slices.Concat([]byte(l.lines(newline)), text)
			continue
		}
		text = slices.Concat(text[:list.start], []byte(l.lines(newline)), text[list.start:list.value], []byte(l.id+", "), text[list.value:])
	}
	return text, nil
}

// isActive reports whether one of the loggers that count has the name.
func isActive(name string, list *property, names map[string]string) bool {
	var ids []string
	if list != nil {
		for id := range strings.SplitSeq(list.text, ",") {
			ids = append(ids, strings.TrimSpace(id))
		}
	}
	for id, is := range names {
		if is == name && (list == nil || slices.Contains(ids, id)) {
			return true
		}
	}
	return false
}

func newlineOf(text []byte) string {
	if n := bytes.IndexAny(text, "\r\n"); n >= 0 {
		return string(text[n : n+lineEnd(text[n:])])
	}
	return "\n"
}

// withoutLoggers removes the agent's loggers, whatever somebody has set for them.
func withoutLoggers(text []byte) []byte {
	for _, l := range loggers() {
		text = l.removed(text)
	}
	return text
}

// removed is the text without the logger: without its settings, its comment and its id in the list.
func (l logger) removed(text []byte) []byte {
	var out []byte
	for _, p := range propertiesOf(text) {
		line := text[p.start:p.end]
		switch {
		case strings.HasPrefix(p.key, "logger."+l.id+"."), p.key == "" && strings.TrimSpace(p.text) == l.comment():
			continue
		case p.key == "loggers":
			line = slices.Concat(line[:p.value-p.start], unlisted(line[p.value-p.start:], l.id))
		}
		out = append(out, line...)
	}
	return out
}

// unlisted returns a list without the id and the comma that follows it. If the id is the last one, the comma before it goes.
func unlisted(list []byte, id string) []byte {
	for at := 0; ; {
		n := bytes.Index(list[at:], []byte(id))
		if n < 0 {
			return list
		}
		start, end := at+n, at+n+len(id)
		before := bytes.TrimRight(list[:start], " \t\f\r\n\\")
		after := bytes.TrimLeft(list[end:], " \t\f\r\n\\")
		switch first, last := len(before) == 0 || before[len(before)-1] == ',', len(after) == 0; {
		case first && !last && after[0] == ',':
			end = len(list) - len(after) + 1
			if end < len(list) && list[end] == ' ' {
				end++
			}
			list = slices.Concat(list[:start], list[end:])
			at = start
		case first && last && len(before) > 0:
			list = slices.Concat(before[:len(before)-1], list[end:])
			at = len(before) - 1
		case first && last:
			list = slices.Concat(list[:start], list[end:])
			at = start
		default:
			at = end
		}
	}
}

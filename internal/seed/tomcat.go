package seed

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
)

// listenerClass reloads the TLS certificates of Tomcat. It exists from Tomcat 9.0.82 on, so all supported
// versions of both products have it.
const listenerClass = "org.apache.catalina.security.TLSCertificateReloadListener"

// listener is the agent's line in the template of Tomcat's server.xml. With so many days before the expiry, every
// certificate counts as one to be renewed, so the listener reloads the keystore every 60 seconds.
const listener = `<Listener className="` + listenerClass + `" checkPeriod="60" daysBefore="36500"/>`

// tag is a start tag of the template, outside comments.
type tag struct {
	name       string
	start, end int // in the template; end is behind the >
	empty      bool
}

// tagsOf lists the start tags of a template. It skips comments of XML and of Jinja, and finds the end of a tag behind quotes,
// expressions and statements of Jinja.
func tagsOf(template []byte) (tags []tag) {
	for at := 0; at < len(template); {
		rest := template[at:]
		if n := skipped(rest, "<!--", "-->", "{#", "#}", "{{", "}}", "{%", "%}"); n > 0 {
			at += n
			continue
		}
		name := tagName.Find(rest)
		if name == nil {
			at++
			continue
		}
		end := tagEnd(template, at+len(name))
		if end < 0 {
			return tags
		}
		tags = append(tags, tag{string(name[1:]), at, end, template[end-2] == '/'})
		at = end
	}
	return tags
}

var tagName = regexp.MustCompile(`^<[A-Za-z_][\w:.-]*`)

// tagEnd returns the position behind the > of a tag; -1 if there is none.
func tagEnd(template []byte, at int) int {
	for at < len(template) {
		rest := template[at:]
		if rest[0] == '>' {
			return at + 1
		}
		at += max(1, skipped(rest, `"`, `"`, `'`, `'`, "{#", "#}", "{{", "}}", "{%", "%}"))
	}
	return -1
}

// skipped returns the length of the part at the start of text that begins and ends with one of the pairs; 0 for none. A part
// without an end goes to the end of the text.
func skipped(text []byte, pairs ...string) int {
	for pair := range slices.Chunk(pairs, 2) {
		if !bytes.HasPrefix(text, []byte(pair[0])) {
			continue
		}
		if n := bytes.Index(text[len(pair[0]):], []byte(pair[1])); n >= 0 {
			return len(pair[0]) + n + len(pair[1])
		}
		return len(text)
	}
	return 0
}

// reloads reports whether the tag is a listener that loads every new certificate within a minute. Without a large daysBefore,
// Tomcat only reloads a certificate that is about to expire.
func (t tag) reloads(template []byte) bool {
	if t.name != "Listener" {
		return false
	}
	attributes := map[string]string{}
	for _, m := range attribute.FindAllSubmatch(template[t.start:t.end], -1) {
		attributes[string(m[1])] = string(bytes.Trim(m[2], `"'`))
	}
	period, err := strconv.Atoi(attributes["checkPeriod"])
	days, _ := strconv.Atoi(attributes["daysBefore"])
	return err == nil && attributes["className"] == listenerClass && period >= 0 && period <= 60 && days >= 3650
}

var attribute = regexp.MustCompile(`\s([\w:.-]+)\s*=\s*("[^"]*"|'[^']*')`)

// withListener puts the agent's line after the line with the end of the <Server> tag. If more text follows on that line, or the line
// has no end, the listener follows the tag directly.
func withListener(template []byte) ([]byte, error) {
	if HasReload(template) {
		return template, nil
	}
	tags := tagsOf(template)
	i := slices.IndexFunc(tags, func(t tag) bool { return t.name == "Server" && !t.empty })
	if i < 0 {
		return nil, fmt.Errorf("%w: the template has no <Server> tag", errNoPlace)
	}
	at, line := tags[i].end, listener
	if n := bytes.IndexByte(template[at:], '\n'); n >= 0 && len(bytes.TrimSpace(template[at:at+n])) == 0 {
		newline := "\n"
		if bytes.HasSuffix(template[:at+n], []byte("\r")) {
			newline = "\r\n"
		}
		at += n + 1
		line = indentation(template[at:]) + listener + newline
	}
	return slices.Concat(template[:at], []byte(line), template[at:]), nil
}

// indentation returns that of the next line that is not blank; four spaces if that line has none.
func indentation(text []byte) string {
	for line := range bytes.Lines(text) {
		if rest := bytes.TrimLeft(line, " \t"); len(bytes.TrimSpace(line)) > 0 && len(rest) < len(line) {
			return string(line[:len(line)-len(rest)])
		} else if len(bytes.TrimSpace(line)) > 0 {
			break
		}
	}
	return "    "
}

// withoutListener removes the agent's line. If the line has more text, it removes only the listener.
func withoutListener(template []byte) []byte {
	var out []byte
	from := 0
	for _, t := range tagsOf(template) {
		if string(template[t.start:t.end]) != listener {
			continue
		}
		start, end := t.start, t.end
		first := bytes.LastIndexByte(template[:start], '\n') + 1
		n := bytes.IndexByte(template[end:], '\n')
		if first >= from && n >= 0 && len(bytes.TrimSpace(template[first:start])) == 0 && len(bytes.TrimSpace(template[end:end+n])) == 0 {
			start, end = first, end+n+1
		}
		out, from = append(out, template[from:start]...), end
	}
	return append(out, template[from:]...)
}

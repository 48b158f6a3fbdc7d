package wso2sim

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const reloadListenerClass = "org.apache.catalina.security.TLSCertificateReloadListener"

// reloadListener is a <Listener> of that class, with the defaults of Tomcat for what it does not say.
type reloadListener struct {
	period     time.Duration // between two reloads
	daysBefore int           // it reloads only a certificate that ends within so many days
}

// readReloadListeners reads the template of Tomcat's server.xml as the start of a server does. A home without the
// template has no listener. One that is not well-formed ends the start.
func readReloadListeners(home string) ([]reloadListener, error) {
	path := filepath.Join(home, catalinaTemplate)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read Tomcat's configuration: %w", err)
	}
	listeners, err := reloadListeners(firstBranches(string(text)))
	if err != nil {
		return nil, fmt.Errorf("read Tomcat's configuration %s: %w", path, err)
	}
	return listeners, nil
}

// reloadListeners finds the listeners right below <Server>, the only place where they do anything.
func reloadListeners(text string) ([]reloadListener, error) {
	var found []reloadListener
	decoder := xml.NewDecoder(strings.NewReader(text))
	for depth := 0; ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			depth++
			if depth == 1 && token.Name.Local != "Server" {
				return nil, fmt.Errorf("its root is <%s>, want <Server>", token.Name.Local)
			}
			if depth == 2 && token.Name.Local == "Listener" && attribute(token, "className") == reloadListenerClass {
				l, err := parseReloadListener(token)
				if err != nil {
					return nil, err
				}
				found = append(found, l)
			}
		case xml.EndElement:
			depth--
		}
	}
}

func parseReloadListener(e xml.StartElement) (reloadListener, error) {
	numbers := map[string]int{"checkPeriod": 24 * 60 * 60, "daysBefore": 14}
	for name := range numbers {
		text := attribute(e, name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			return reloadListener{}, fmt.Errorf("the listener's %s is %q, want a number", name, text)
		}
		numbers[name] = n
	}
	return reloadListener{time.Duration(numbers["checkPeriod"]) * time.Second, numbers["daysBefore"]}, nil
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

var (
	jinjaComment = regexp.MustCompile(`(?s)\{#.*?#\}`)
	jinjaLoop    = regexp.MustCompile(`\{%-?\s*for\b(?:[^{]|\{[^%])*\{%-?\s*endfor\s*-?%\}`)
	jinjaChoice  = regexp.MustCompile(`\{%-?\s*if\b[^%]*%\}((?:[^{]|\{[^%])*)(?:\{%-?\s*el(?:se|if)\b(?:[^{]|\{[^%])*)*\{%-?\s*endif\s*-?%\}`)
	jinjaValue   = regexp.MustCompile(`(?s)\{\{.*?\}\}`)
)

// firstBranches is what a Jinja template becomes if every condition holds, every loop is over nothing and every value
// is empty: enough to see its elements.
func firstBranches(text string) string {
	text = jinjaComment.ReplaceAllString(text, "")
	for before := ""; before != text; {
		before = text
		text = jinjaLoop.ReplaceAllString(text, "")
		text = jinjaChoice.ReplaceAllString(text, "$1")
	}
	return jinjaValue.ReplaceAllString(text, "")
}

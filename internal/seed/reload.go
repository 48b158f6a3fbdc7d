package seed

import "errors"

// The files with which a server loads a new TLS certificate while it runs. The paths are relative to the config volume and to
// the server's home.
const (
	TomcatTemplate  = "repository/resources/conf/templates/repository/conf/tomcat/catalina-server.xml.j2"
	LoggingSettings = "repository/conf/log4j2.properties"
)

// errNoPlace says that a file has no place for the agent's lines.
var errNoPlace = errors.New("no place for the agent's lines")

// ReloadFiles returns the paths of the files to which the agent adds its lines.
func ReloadFiles() []string { return []string{TomcatTemplate, LoggingSettings} }

// withReload returns the text of one of ReloadFiles with the agent's lines: the server then loads its TLS certificate again
// every minute, and logs only errors about it. The text stays as it is if it has these lines, or lines of somebody else with the
// same effect. Errors wrap errNoPlace.
func withReload(path string, text []byte) ([]byte, error) {
	if path == TomcatTemplate {
		return withListener(text)
	}
	return withLoggers(text)
}

// WithoutReload returns the text of one of ReloadFiles without the agent's lines. changed reports whether it had any. All other
// bytes stay as they are.
func WithoutReload(path string, text []byte) (out []byte, changed bool) {
	if path == TomcatTemplate {
		out = withoutListener(text)
	} else {
		out = withoutLoggers(text)
	}
	return out, len(out) != len(text)
}

// HasReload reports whether a Tomcat with this template loads a new TLS certificate within a minute. The listener may be the
// agent's or somebody else's.
func HasReload(template []byte) bool {
	for _, t := range tagsOf(template) {
		if t.reloads(template) {
			return true
		}
	}
	return false
}

package wso2sim

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestTheTemplateSaysWhetherTomcatReloads(t *testing.T) {
	const server = `xmlns:svns="http://org.wso2.securevault/configuration">`
	after := func(line string) string { return strings.Replace(catalina, server, server+"\n"+line, 1) }
	every := []reloadListener{{time.Second, 36500}}
	for _, tc := range []struct {
		name, text string
		want       []reloadListener
	}{
		{"a fresh home has none", catalina, nil},
		{"the line after <Server>", after(reloadLine), every},
		{"twice is twice", after(reloadLine + reloadLine), append(every, every...)},
		{"with Tomcat's defaults", after(`<Listener className="` + reloadListenerClass + `"/>`), []reloadListener{{24 * time.Hour, 14}}},
		{"in a comment", after("<!-- " + reloadLine + " -->"), nil},
		{"in a comment of the template", after("{# " + reloadLine + " #}"), nil},
		{"inside <Service>", strings.Replace(catalina, "    <Engine", reloadLine+"    <Engine", 1), nil},
		{"in another branch", after("{% if a is sameas true %}{% else %}" + reloadLine + "{% endif %}"), nil},
		{"in the first branch", after("{% if a is sameas true %}" + reloadLine + "{% else %}<b>{% endif %}"), every},
		{"in a condition inside a loop inside a condition",
			after("{% if a %}{% for b in c %}{% if d %}" + reloadLine + "{% endif %}{% endfor %}" + reloadLine + "{% endif %}"), every},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := reloadListeners(firstBranches(tc.text))
			if err != nil || !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got %v, %v, want %v", got, err, tc.want)
			}
		})
	}
}

func TestATemplateThatMakesNoServerEndsTheStart(t *testing.T) {
	for _, tc := range []struct {
		name, from, to, want string
	}{
		{"the line before <Server>", "<Server", reloadLine + "\n<Server", "want <Server>"},
		{"the line inside the tag of <Server>", "<Server ", "<Server " + reloadLine, "syntax error"},
		{"a line that is not closed", `configuration">`, `configuration">` + strings.Replace(reloadLine, "/>", ">", 1), "syntax error"},
		{"a period that is no number", `configuration">`, `configuration">` + strings.Replace(reloadLine, `"1"`, `"1 s"`, 1), "want a number"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			home := newHome(t, ProductIS)
			if err := replaceIn(filepath.Join(home, catalinaTemplate), tc.from, tc.to); err != nil {
				t.Fatal(err)
			}
			is, err := StartIS(t.Context(), Options{Home: home, Listen: "127.0.0.1:0"})
			if err == nil {
				is.Close()
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), catalinaTemplate) {
				t.Errorf("the start says %v, want %q", err, tc.want)
			}
		})
	}
}

func TestAHomeFromBeforeTheReloadsStarts(t *testing.T) {
	for _, product := range []string{ProductIS, ProductAM} {
		p := newPair(t)
		for _, file := range []string{catalinaTemplate, loggingFile, profilesFile} {
			if err := os.RemoveAll(filepath.Join(p.home(product), file)); err != nil {
				t.Fatal(err)
			}
		}
		mustShow(t, p.start(product))
	}
}

func TestLevelsOfLoggers(t *testing.T) {
	const file = `
# loggers = c
rootLogger.level = WARN
loggers = a, \
   b
logger.a.name = org.apache
logger.a.level = error
logger.b.name:org.apache.tomcat.util
logger.b.level:INFO
logger.c.name = org.apache.tomcat.util.net
logger.c.level = OFF
`
	home := t.TempDir()
	if err := writeNew(filepath.Join(home, loggingFile), []byte(file)); err != nil {
		t.Fatal(err)
	}
	levels, err := readLogLevels(home)
	if err != nil {
		t.Fatal(err)
	}
	for logger, want := range map[string]string{
		"org.apache": "ERROR", "org.apache.catalina": "ERROR", "org.apache.tomcat.util": "INFO", "org.apachetwo": "WARN",
		"org.apache.tomcat.util.net.SSLUtilBase": "INFO", "net.sf": "WARN",
	} {
		if got := levels.of(logger).String(); got != want {
			t.Errorf("%s has %s, want %s", logger, got, want)
		}
	}
}

package seed

import (
	"errors"
	"strings"
	"testing"
)

// server is the beginning of the template of carbon-kernel
// (distribution/kernel/carbon-home/repository/resources/conf/templates/repository/conf/tomcat/catalina-server.xml.j2). Its
// Server line is the same in IS 7.0 to 7.3 and in API-M 4.4 to 4.7.
const server = `<?xml version='1.0' encoding='utf-8'?>
<!--
  Licensed to the Apache Software Foundation (ASF) under one or more
-->

<Server port="8005" shutdown="SHUTDOWN" xmlns:svns="http://org.wso2.securevault/configuration">

    <Service className="org.wso2.carbon.tomcat.ext.service.ExtendedStandardService" name="Catalina">

        <Connector protocol="org.apache.coyote.http11.Http11NioProtocol"
        {% for property_name,property_value in transport.http.properties.items() %}
                   {{property_name}}="{{property_value}}"
                           {% endfor %}
        >
        </Connector>
    </Service>
</Server>

`

// isLogging is from product-is (modules/distribution/src/repository/resources/conf/log4j2.properties), with a shorter list.
const isLogging = `appender.osgi.type = PaxOsgi
appender.osgi.name = PaxOsgi
appender.osgi.filter = *

loggers = AUDIT_LOG, trace-messages, org-apache-coyote, org-apache-catalina, org-apache-tomcat, org-wso2-carbon-identity-sso-saml

logger.org-apache-coyote.name = org.apache.coyote
logger.org-apache-coyote.level = WARN

logger.org-apache-tomcat.name = org.apache.tomcat
logger.org-apache-tomcat.level = INFO

#uncomment the last line to add syslog appender to the root loggers
rootLogger.level = INFO
logger.org-springframework.name=org.springframework
`

// amLogging is from product-apim (all-in-one-apim/modules/distribution/product/src/main/conf/log4j2.properties), with a shorter
// list. The logger of the wire is defined and not listed there.
const amLogging = `appenders=CARBON_CONSOLE, SERVICE_APPENDER, TRACE_APPENDER, osgi
#, syslog

loggers = AUDIT_LOG, reporter, org-apache-tomcat, GatewayAccessLogger

logger.synapse-wire.name = org.apache.synapse.transport.http.wire
logger.synapse-wire.level = DEBUG
`

const (
	own       = `<Listener className="org.apache.catalina.security.TLSCertificateReloadListener" checkPeriod="60" daysBefore="36500"/>`
	silencers = `# wso2agent-certificate: without it Tomcat logs each reload of the TLS certificate, once a minute
logger.wso2agent-certificate.name = org.apache.tomcat.util.net.NioEndpoint.certificate
logger.wso2agent-certificate.level = ERROR
# wso2agent-truststore: without it Tomcat logs the expired certificates of the truststore at each reload
logger.wso2agent-truststore.name = org.apache.tomcat.util.net.SSLUtilBase
logger.wso2agent-truststore.level = ERROR
`
	silenced = "loggers = wso2agent-truststore, wso2agent-certificate, "
	person   = "logger.mine.name = org.apache.tomcat.util.net.SSLUtilBase\nlogger.mine.level = DEBUG\n"
)

// silencer is the part of silencers about one logger.
func silencer(n int) string {
	return strings.Join(strings.SplitAfter(silencers, "\n")[3*n:3*n+3], "")
}

func windows(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

// reloadTexts are texts with and without the agent's lines; with is the same where nothing is to be added.
var reloadTexts = []struct{ name, path, without, with string }{
	{"the products' template", TomcatTemplate, server, strings.Replace(server, "configuration\">\n", "configuration\">\n    "+own+"\n", 1)},
	{"a template with Windows line ends", TomcatTemplate, windows(server), windows(strings.Replace(server, "configuration\">\n", "configuration\">\n    "+own+"\n", 1))},
	{"a tag over several lines", TomcatTemplate, "<Server port=\"8005\"\n  {% if a > b %}x='>'{% endif %}\n  shutdown=\"{{ c }}\" >  \n\t<Service>\n", "<Server port=\"8005\"\n  {% if a > b %}x='>'{% endif %}\n  shutdown=\"{{ c }}\" >  \n\t" + own + "\n\t<Service>\n"},
	{"a tag in comments first", TomcatTemplate, "<!-- <Server>\n -->{# <Server>\n #}\n<Server>\n<Service>\n", "<!-- <Server>\n -->{# <Server>\n #}\n<Server>\n    " + own + "\n<Service>\n"},
	{"a line that goes on", TomcatTemplate, "<Server><Service>\n</Service></Server>", "<Server>" + own + "<Service>\n</Service></Server>"},
	{"a line without an end", TomcatTemplate, "<Server>  ", "<Server>" + own + "  "},
	{"the line in a comment", TomcatTemplate, "<Server>\n<!--" + own + "-->\n", "<Server>\n    " + own + "\n<!--" + own + "-->\n"},
	{"a listener that reloads too late", TomcatTemplate, "<Server>\n <Listener className='" + listenerClass + "' checkPeriod='60'/>\n", "<Server>\n " + own + "\n <Listener className='" + listenerClass + "' checkPeriod='60'/>\n"},
	{"a person's own listener", TomcatTemplate, "<Server>\n <Listener className='" + listenerClass + "' checkPeriod='10' daysBefore='3650'/>\n", "<Server>\n <Listener className='" + listenerClass + "' checkPeriod='10' daysBefore='3650'/>\n"},

	{"the logging of IS", LoggingSettings, isLogging, strings.Replace(isLogging, "loggers = ", silencers+silenced, 1)},
	{"the logging of API-M", LoggingSettings, amLogging, strings.Replace(amLogging, "loggers = ", silencers+silenced, 1)},
	{"a logging with Windows line ends", LoggingSettings, windows(isLogging), windows(strings.Replace(isLogging, "loggers = ", silencers+silenced, 1))},
	{"a list over several lines", LoggingSettings, "a = b\nloggers = \\\n  A, \\\n  B", "a = b\n" + silencers + "loggers = \\\n  wso2agent-truststore, wso2agent-certificate, A, \\\n  B"},
	{"another way to write a list", LoggingSettings, " loggers \\\n :A,", silencers + " loggers \\\n :wso2agent-truststore, wso2agent-certificate, A,"},
	{"two lists, of which the last counts", LoggingSettings, "loggers = A\nloggers = B\n", "loggers = A\n" + silencers + silenced + "B\n"},
	{"a list in comments", LoggingSettings, "#loggers = A\\\nloggers = B\n", "#loggers = A\\\n" + silencers + silenced + "B\n"},
	{"no list", LoggingSettings, "rootLogger.level = INFO", silencer(1) + silencer(0) + "rootLogger.level = INFO"},
	{"nothing", LoggingSettings, "", silencer(1) + silencer(0)},
	{"a person's own logger", LoggingSettings, "loggers = mine\n" + person, silencer(0) + "loggers = wso2agent-certificate, mine\n" + person},
	{"a person's own logger without a list", LoggingSettings, person, silencer(0) + person},
	{"a person's own logger that is not listed", LoggingSettings, "loggers = A\n" + person, silencers + silenced + "A\n" + person},
}

func TestTheAgentsLinesComeIntoAFileAndGoAgain(t *testing.T) {
	for _, test := range reloadTexts {
		t.Run(test.name, func(t *testing.T) {
			with, err := withReload(test.path, []byte(test.without))
			if err != nil || string(with) != test.with {
				t.Fatalf("with the lines: %v\n%s\nwant\n%s", err, with, test.with)
			}
			if again, err := withReload(test.path, with); err != nil || string(again) != test.with {
				t.Errorf("with the lines once more: %v\n%s", err, again)
			}
			without, changed := WithoutReload(test.path, with)
			if string(without) != test.without || changed != (test.with != test.without) {
				t.Errorf("without the lines, changed %t:\n%s\nwant\n%s", changed, without, test.without)
			}
			if again, changed := WithoutReload(test.path, without); changed || string(again) != test.without {
				t.Errorf("without the lines once more, changed %t:\n%s", changed, again)
			}
			if test.path == TomcatTemplate && (!HasReload(with) || HasReload(without) != (test.with == test.without)) {
				t.Errorf("HasReload says %t with the line, and %t without it", HasReload(with), HasReload(without))
			}
		})
	}
}

func TestAFileWithoutAPlaceForTheLinesIsLeftAlone(t *testing.T) {
	for name, test := range map[string]struct{ path, text string }{
		"no tag":                     {TomcatTemplate, "<Servers>\n</Servers>\n"},
		"a tag in a comment only":    {TomcatTemplate, "<!--\n<Server>\n-->\n"},
		"a tag without content":      {TomcatTemplate, "<Server port=\"8005\"/>\n"},
		"a tag without an end":       {TomcatTemplate, "<Server port=\"8005\"\n"},
		"nothing":                    {TomcatTemplate, ""},
		"a list with nothing in it":  {LoggingSettings, "loggers =\nrootLogger.level = INFO\n"},
		"an empty list at the end":   {LoggingSettings, "loggers"},
		"a list with a backslash ":   {LoggingSettings, "loggers = \\\n"},
		"an empty list that counts ": {LoggingSettings, "loggers = A\nloggers =\n"},
	} {
		if out, err := withReload(test.path, []byte(test.text)); !errors.Is(err, errNoPlace) {
			t.Errorf("%s: %v, %q", name, err, out)
		}
	}
}

func TestWhatAPersonMadeOfTheAgentsLoggersStaysAndGoesWithThem(t *testing.T) {
	text := silencer(0) + strings.Replace(silencer(1), "ERROR", "DEBUG", 1) + "loggers = A, \\\n  wso2agent-certificate, \\\n  wso2agent-truststore\nlogger.wso2agent-truststore.additivity = false\n"
	if with, err := withReload(LoggingSettings, []byte(text)); err != nil || string(with) != text {
		t.Errorf("with the loggers: %v\n%s", err, with)
	}
	if without, _ := WithoutReload(LoggingSettings, []byte(text)); string(without) != "loggers = A\n" {
		t.Errorf("without the loggers:\n%s", without)
	}
	unlisted := silencers + "loggers = wso2agent-certificate, A\n"
	if with, err := withReload(LoggingSettings, []byte(unlisted)); err != nil || strings.Count(string(with), "SSLUtilBase") != 1 || !strings.Contains(string(with), "loggers = wso2agent-truststore, wso2agent-certificate, A\n") {
		t.Errorf("with a logger that was taken out of the list: %v\n%s", err, with)
	}
}

// FuzzReload holds that the agent's lines go as they came, and that a second time changes nothing.
func FuzzReload(f *testing.F) {
	for _, test := range reloadTexts {
		f.Add(test.path == TomcatTemplate, test.without)
		f.Add(test.path == TomcatTemplate, test.with)
	}
	f.Add(false, "a = b\r\n\nlogger.x.name = y\\\r\nloggers\\:=\rloggers=,")
	f.Add(true, "<Server a='>'>\r\n\r<Server>\r\n\t"+own)
	f.Fuzz(func(t *testing.T, template bool, text string) {
		path := LoggingSettings
		if template {
			path = TomcatTemplate
		}
		text = string(must(WithoutReload(path, []byte(text))))
		if again, changed := WithoutReload(path, []byte(text)); changed {
			t.Fatalf("%q still has the agent's lines, %q not", text, again)
		}
		with, err := withReload(path, []byte(text))
		if err != nil {
			return
		}
		if again, err := withReload(path, with); err != nil || string(again) != string(with) {
			t.Fatalf("a second time: %v, %q, the first time %q", err, again, with)
		}
		if template && !HasReload(with) {
			t.Fatalf("no listener in %q", with)
		}
		if without, _ := WithoutReload(path, with); string(without) != text {
			t.Fatalf("%q becomes %q and then %q", text, with, without)
		}
	})
}

func must(out []byte, _ bool) []byte { return out }

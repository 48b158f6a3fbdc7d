package wso2sim

const (
	catalinaTemplate = "repository/resources/conf/templates/repository/conf/tomcat/catalina-server.xml.j2"
	loggingFile      = "repository/conf/log4j2.properties"
	profilesFile     = "repository/resources/security/listenerprofiles.xml"
)

// confFiles are the files of a fresh home, by their path in it, that decide how the server loads a new certificate
// while it runs: excerpts of the products' own.
func confFiles(product string) (map[string][]byte, error) {
	files := map[string][]byte{catalinaTemplate: []byte(catalina), loggingFile: []byte(logging[product])}
	if product == ProductAM {
		tree, err := decodeTOML(amSettings)
		if err != nil {
			return nil, err
		}
		profiles, err := renderProfiles(settings{tree: tree})
		if err != nil {
			return nil, err
		}
		files[profilesFile] = profiles
	}
	return files, nil
}

// catalina has the elements, the conditions and the loops around the connector for TLS as the templates of product-is
// and product-apim have them. The line of <Server> is the same in both.
const catalina = `<?xml version='1.0' encoding='utf-8'?>
<!--
  An excerpt of the template of WSO2, for the stand-in.
-->

<Server port="8005" shutdown="SHUTDOWN" xmlns:svns="http://org.wso2.securevault/configuration">

    {% if transport.https.openssl_apr.enabled is sameas true %}
    <Listener className="org.apache.catalina.core.AprLifecycleListener" SSLEngine="on" />
    {% endif %}
    <Service className="org.wso2.carbon.tomcat.ext.service.ExtendedStandardService" name="Catalina">

       {% if transport.https.openssl_apr.enabled is sameas true %}
       <Connector protocol="org.apache.coyote.http11.Http11AprProtocol"
       {% else %}
       <Connector protocol="org.apache.coyote.http11.Http11NioProtocol"
       {% endif %}
       {% for property_name,property_value in transport.https.properties.items() %}
                  {{property_name}}="{{property_value}}"
                  {% endfor %}
       >
           <SSLHostConfig
                   {% for property_name,property_value in transport.https.sslHostConfig.properties.items() %}
                                      {{property_name}}="{{property_value}}"
                                      {% endfor %}
                                      >
               <Certificate
               {% for property_name,property_value in transport.https.sslHostConfig.certificate.properties.items() %}
                                                      {{property_name}}="{{property_value}}"
                                                      {% endfor %}
                            />
           </SSLHostConfig>
       </Connector>

        <Engine name="Catalina" defaultHost="localhost">
            <Realm className="org.wso2.carbon.tomcat.ext.realms.CarbonTomcatRealm"/>
            <Host name="localhost" unpackWARs="true" deployOnStartup="false" autoDeploy="false"
                  appBase="${carbon.home}/repository/deployment/server/webapps/">
                {% for valve in catalina.valves %}
                <Valve
                    {% for property,value in valve.properties.items() %}
                      {{property}}="{{value}}"
                    {% endfor %}
                 />
                {% endfor %}
            </Host>
        </Engine>
    </Service>
</Server>
`

// logging is by product: the lists of loggers differ, and those of Tomcat are in both.
var logging = map[string]string{
	ProductIS: `# list of all appenders
#add entry "syslog" to use the syslog appender
appenders = CARBON_CONSOLE, CARBON_LOGFILE, AUDIT_LOGFILE, CARBON_TRACE_LOGFILE
#, syslog

loggers = AUDIT_LOG, trace-messages, org-apache-coyote, com-hazelcast, Owasp-CsrfGuard, org-apache-axis2-clustering, org-apache-catalina, org-apache-tomcat, org-wso2-carbon-identity
` + commonLogging,
	ProductAM: `# list of all appenders
#add entry "syslog" to use the syslog appender
appenders=CARBON_CONSOLE, CARBON_LOGFILE, AUDIT_LOGFILE, CARBON_TRACE_LOGFILE
#, syslog

loggers = AUDIT_LOG, trace-messages, org-apache-coyote, com-hazelcast, Owasp-CsrfGuard, org-apache-axis2-clustering, org-apache-catalina, org-apache-tomcat, synapse, correlation
` + commonLogging,
}

const commonLogging = `
logger.AUDIT_LOG.name = AUDIT_LOG
logger.AUDIT_LOG.level = INFO
logger.AUDIT_LOG.appenderRef.AUDIT_LOGFILE.ref = AUDIT_LOGFILE
logger.AUDIT_LOG.additivity = false

logger.trace-messages.name = trace.messages
logger.trace-messages.level = TRACE
logger.trace-messages.appenderRef.CARBON_TRACE_LOGFILE.ref = CARBON_TRACE_LOGFILE

logger.org-apache-coyote.name = org.apache.coyote
logger.org-apache-coyote.level = WARN

logger.org-apache-catalina.name = org.apache.catalina
logger.org-apache-catalina.level = ERROR

logger.org-apache-tomcat.name = org.apache.tomcat
logger.org-apache-tomcat.level = INFO

rootLogger.level = INFO
rootLogger.appenderRef.CARBON_CONSOLE.ref = CARBON_CONSOLE
rootLogger.appenderRef.CARBON_LOGFILE.ref = CARBON_LOGFILE
`

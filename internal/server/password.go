package server

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"wso2agent/internal/config"
	"wso2agent/internal/deployment"
)

// inXML encodes characters that do not reach the server as they stand in deployment.toml. The products first look for
// references ($ref{…}) in values, and then put the values into XML files by a template engine, without escaping. The XML
// parser that reads such a file decodes them. WSO2's documentation uses CDATA, which helps against none of the other three.
var inXML = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "$", "&#36;", `\`, "&#92;", "{", "&#123;")

// xmlText is the form of a password in deployment.toml with which the server gets the password itself.
func xmlText(password string) string { return inXML.Replace(password) }

// ofXML is the password that a server gets from a value of deployment.toml; ok is false if only the server knows. It reads tokens,
// because xml.Unmarshal would make the program larger.
func ofXML(value string) (password string, ok bool) {
	if strings.Contains(value, "{{") || strings.Contains(value, "${") || reference(value) {
		return "", false
	}
	d := xml.NewDecoder(strings.NewReader("<p>" + value + "</p>"))
	var text strings.Builder
	for depth := 0; ; {
		token, err := d.Token()
		if err != nil {
			return text.String(), err == io.EOF
		}
		switch t := token.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			depth--
		case xml.CharData:
			if depth == 1 {
				text.Write(t)
			}
		}
	}
}

func reference(value string) bool {
	for _, start := range []string{"$ref{", "$env{", "$sys{", "$secret{"} {
		if strings.Contains(value, start) {
			return true
		}
	}
	return false
}

// urlText encodes a name or password for the address of API-M's broker (jndi.properties): all characters that RFC 3986 does
// not call unreserved.
func urlText(text string) string {
	var out strings.Builder
	for i := range len(text) {
		if c := text[i]; c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			out.WriteByte(c)
		} else {
			fmt.Fprintf(&out, "%%%02X", c)
		}
	}
	return out.String()
}

// administrator are the settings of the server's own administrator. The server reads the password at the first start on a new
// database, when it creates its administrator. API-M also uses it for all its calls to itself. So name and password stay on a
// used database.
func (n Needs) administrator() []want {
	password := n.ownPassword()
	wants := []want{
		{path: []string{"super_admin", "username"}, data: n.User, stock: []any{"admin"}, unsaid: true, fixed: n.Used},
		{path: []string{"super_admin", "password"}, data: password, stock: []any{"admin"}, unsaid: true, secret: true, xml: true, fixed: n.Used,
			same: []any{xmlText(n.Password), n.Password, "$env{" + n.passwordVariable() + "}"}},
	}
	if n.Product != config.AM || !n.Used && (n.SecretsEnv || urlText(n.User) == n.User && urlText(n.Password) == n.Password) {
		return wants
	}
	// API-M also puts both into the address of its message broker, which needs another encoding (WSO2's documentation,
	// "Maintaining Logins and Passwords").
	jms := func(key string) []string { return []string{"apim", "throttling", "jms", key} }
	return append(wants,
		want{path: jms("username"), data: urlText(n.User), fixed: n.Used},
		want{path: jms("password"), data: urlText(n.Password), secret: true, fixed: n.Used})
}

// passwordVariable is the variable with the password of the server's own administrator.
func (n Needs) passwordVariable() string {
	if n.Product == config.IS {
		return "IS_ADMIN_PASS"
	}
	return "AM_ADMIN_PASS"
}

// ownPassword is the administrator's password as the file has it. The default password, which everybody knows, may stay there.
func (n Needs) ownPassword() string {
	if !n.SecretsEnv || n.Password == "admin" {
		return xmlText(n.Password)
	}
	return "$env{" + n.passwordVariable() + "}"
}

// checkEnvironment names the secrets that a server would not get from its environment as they are, because the environment
// allows no encoding.
func (n Needs) checkEnvironment() (mistakes []error) {
	if !n.SecretsEnv {
		return nil
	}
	check := func(name, value, remedy string, more string) {
		why := ""
		for _, part := range []string{"$", `\`, "&", "<", "{{", "{%", "{#"} {
			if strings.Contains(value, part) {
				why = part
			}
		}
		if i := strings.IndexAny(value, more); why == "" && i >= 0 {
			why = value[i : i+1]
		}
		if why != "" {
			mistakes = append(mistakes, fmt.Errorf("%s contains %s, which the server cannot read from its environment; choose another%s", name, why, remedy))
		}
	}
	const clear = ", or set SECRETS_ENV=false"
	own := ""
	if n.Product == config.AM && !n.Used {
		own = "@%/?#[]" // of the broker's address
	}
	check(n.passwordVariable(), n.Password, clear, own)
	if n.Product == config.IS {
		check("AM_ADMIN_PASS", n.AMPassword, clear, "")
	}
	if n.Database != nil {
		check("the database's password", n.Database.Password, "", "")
	}
	return mistakes
}

// ReadAdministrator reads the name and the password of the server's administrator from the text of its deployment.toml.
// variable looks up a variable in the server's environment. known is false if only the server knows them.
func ReadAdministrator(text []byte, variable func(name string) (string, bool)) (user, password string, known bool, err error) {
	doc, err := deployment.Parse(text)
	if err != nil {
		return "", "", false, err
	}
	read := func(key string) string {
		v, there := doc.Get("super_admin", key)
		value, isText := v.Data.(string)
		if !there {
			return "admin"
		}
		if name, ok := strings.CutPrefix(value, "$env{"); ok && strings.HasSuffix(name, "}") {
			value, isText = variable(strings.TrimSuffix(name, "}"))
			known = known && isText
			return value
		}
		out, ok := ofXML(value)
		known = known && ok && isText
		return out
	}
	known = true
	user, password = read("username"), read("password")
	return user, password, known, nil
}

package wso2

import (
	"cmp"
	"errors"
	"net/http"
)

// Remedy says what a person can do about the error, or nothing where only waiting helps.
func (e *Error) Remedy() string {
	if text, ok := remedies[e.Code]; ok {
		return text
	}
	switch {
	case e.reading != nil && e.CodeText == CodeTextNoClient:
		return "check " + e.credentials + ": the server does not know this client, or it has another secret"
	case e.reading != nil && (e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden):
		return "give the client, and the user who owns it, the scopes " + e.reading.rights() + "; if it has them, other runs with this client have ended its tokens: give each pipeline a client of its own"
	case e.CodeText == CodeTextNoClient:
		return "the server does not know this client, or it has another secret: its database is new, or somebody has deleted the client; agent bootstrap makes new keys"
	case e.CodeText == CodeTextUnauthorizedClient:
		return "" // nothing is wrong with the client's credentials
	case e.doubt != "":
		return e.doubt + ": either the server's database is down (it then refuses every password), or the password was changed in the server; check the database, or " +
			cmp.Or(e.credentials, "the user and the password")
	case e.Status == http.StatusUnauthorized:
		return "check " + cmp.Or(e.credentials, "the user and the password") + ", and that this user has the administrator's role (a right password without the role is answered in the same way)"
	case e.Status == http.StatusForbidden:
		return "the user may not do this: use an administrator of the server"
	case e.Status >= 300 && e.Status < 400:
		return "the server is starting or stopping, or the address belongs to another server"
	case errors.Is(e.Err, ErrHeldBack):
		return "check " + cmp.Or(e.credentials, "the user and the password")
	case errors.Is(e.Err, ErrTooLarge):
		return "use a smaller file"
	case errors.Is(e.Err, ErrOwnUser):
		return "use another administrator in IS_ADMIN_USER before you delete this one"
	case errors.Is(e.Err, ErrPlaintext):
		return "give an https:// address"
	}
	return ""
}

// remedies by API-M's error code (carbon-apimgt, ExceptionCodes).
var remedies = map[int]string{
	900250: "an API has this name in other letter case: use its spelling, or another name",
	900251: "another API has this context: choose another one",
	900252: "this version of the API exists: choose another version",
	900253: "correct the context: letters, digits, . - _ ( ) ; { } and / between parts, no / at the end",
	900312: "the API has a document of this name: choose another one",
	900345: "the category does not exist: create it in the Admin Portal, or correct its name",
	900348: "undeploy the revision before deleting it",
	900504: "the gateway environment does not exist: the products ship one named Default",
	900511: "name the gateway's virtual host in VHOST",
	900512: "the gateway environment has no such virtual host: set VHOST to one that it has (as shipped: localhost)",
	900610: "API-M has no such role: correct its name (RESTRICTED needs at least one role)",
	900704: "correct the name (at most 60 characters) or the version (at most 30, no spaces)",
	900754: "correct the OpenAPI definition",
	900756: "check the address of the OpenAPI definition: API-M itself must reach it",
	900763: "an API needs at least one operation",
	900970: "correct the lifetimes of the key: whole numbers of seconds above 0",
	900977: "a further version of an API must have the same context as the versions before it",
	900984: "another shared scope, or a local one of an API, has this name: choose another name",
	900985: "take the scope out of the APIs that use it before you delete it",
	900988: "another API has a local scope of this name: choose another name, or make the scope a shared one",
	901400: "API-M has no connector for this type of key manager: IS 7 needs type WSO2-IS-7, which API-M ships",
	901401: "a required field of the key manager is missing: report this",
	901403: "the key manager is unknown, disabled, or API-M has not loaded it yet",
	901405: "the key manager may not create clients: allow it in the Admin Portal",
	902002: "the API does not offer this subscription policy, or is not published",
	902015: "the key manager is in use by an API or an application",
	902016: "correct the name of the document: no slash",
	902019: "choose another subscription policy: this one is for APIs without subscriptions",
	903223: "the API has no endpoint: give backend_url",
	903224: "the API has no subscription policy",
	903216: "a field of the API is wrong for an import: report this",
	903234: "the API's lifecycle does not allow this now: see it in the Publisher",
	903245: "give the document a url, or the type of a document of type OTHER",
	903250: "API-M has no role of one of the names that the scope has: correct the name",
}

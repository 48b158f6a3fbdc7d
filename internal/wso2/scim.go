package wso2

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// SCIM is IS's SCIM 2 API: users, groups and roles (RFC 7644, and WSO2's roles v2).
type SCIM struct{ caller }

// NewSCIM makes the client of the IS at base, such as https://wso2is:9443.
func NewSCIM(hc *http.Client, base string, cred Credentials) *SCIM {
	return &SCIM{caller{hc, base + "/scim2", &cred}}
}

// SCIMKind is a kind of object that SCIM has.
type SCIMKind struct {
	word string // for messages
	path string
	keys keys
}

// The kinds of objects that SCIM has. Names of users and groups are the same in any letter case; those of roles are not.
var (
	SCIMUsers  = SCIMKind{"user", "/Users", keysOfSCIMUser}
	SCIMGroups = SCIMKind{"group", "/Groups", keysOfSCIMGroup}
	SCIMRoles  = SCIMKind{"role", "/v2/Roles", keysOfSCIMGroup}
)

// primaryStore is the store of users that IS has without a setting. It may stand before the name of a user or a group.
const primaryStore = "PRIMARY/"

// Find finds an object by its name; ok is false if there is none. A role is one of the organization: applications, such as the
// Console, have roles of their own, and perhaps one of the same name.
func (s *SCIM) Find(ctx context.Context, kind SCIMKind, name string) (o Object, ok bool, err error) {
	var answer scimPage
	r := request{
		op: "find " + kind.word + " " + name, method: http.MethodGet, path: kind.path,
		query: url.Values{"filter": {kind.keys.name + ` eq "` + filterText.Replace(name) + `"`}},
	}
	err = s.call(ctx, r, &answer)
	if err != nil {
		return Object{}, false, err
	}
	for _, fields := range answer.Resources {
		o := kind.keys.of(fields)
		if o.ID != "" && kind.same(o, name) {
			return o, true, nil
		}
	}
	return Object{}, false, nil
}

// filterText escapes a text in a filter (RFC 7644, section 3.4.2.2: as in JSON).
var filterText = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// same reports whether an object that a server found is the one of this name.
func (k SCIMKind) same(o Object, name string) bool {
	if k == SCIMRoles {
		audience, _ := o.Fields["audience"].(map[string]any)
		return o.Name == name && audience["type"] == "organization"
	}
	return strings.EqualFold(strings.TrimPrefix(o.Name, primaryStore), strings.TrimPrefix(name, primaryStore))
}

// Read reads an object. Answers to a creation and to a patch have only a part of it.
func (s *SCIM) Read(ctx context.Context, kind SCIMKind, id string) (Object, error) {
	return s.object(ctx, request{op: "read " + kind.word + " " + id, method: http.MethodGet, path: kind.at(id)}, kind.keys)
}

// Create makes an object and returns its id. A name that is taken is HTTP 409. secrets are those in the object.
func (s *SCIM) Create(ctx context.Context, kind SCIMKind, fields map[string]any, secrets ...Secret) (id string, err error) {
	made, err := s.object(ctx, request{
		op: "create " + kind.word + " " + named(fields, kind.keys.name), method: http.MethodPost, path: kind.path, body: fields, secrets: secrets,
	}, kind.keys)
	return made.ID, err
}

// Change is one operation of a patch (RFC 7644, section 3.5.2). Without a path, the value is an object with the attributes. A member
// that is added to a group needs value and display; a user or a group that is added to a role needs only value.
type Change struct {
	Op    string `json:"op"`             // add, remove or replace
	Path  string `json:"path,omitempty"` // such as users, members[value eq "id"], or name.familyName
	Value any    `json:"value,omitempty"`
}

// Patch changes an object; without changes it makes no request, because IS answers HTTP 500 to that. A new password ends all tokens
// of the user.
func (s *SCIM) Patch(ctx context.Context, kind SCIMKind, o Object, changes []Change, secrets ...Secret) error {
	if len(changes) == 0 {
		return nil
	}
	return s.call(ctx, request{
		op: "change " + kind.word + " " + o.Name, method: http.MethodPatch, path: kind.at(o.ID), secrets: secrets,
		body: map[string]any{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": changes},
	}, nil)
}

// ErrOwnUser: the user is the one with which the agent calls IS. IS would delete him, and then refuse everybody until it is restarted.
var ErrOwnUser = errors.New("the agent calls IS as this user")

// Delete deletes an object; one that is gone is no error. The user of the client itself is [ErrOwnUser].
func (s *SCIM) Delete(ctx context.Context, kind SCIMKind, o Object) error {
	r := request{op: "delete " + kind.word + " " + o.Name, method: http.MethodDelete, path: kind.at(o.ID)}
	switch {
	case o.ID == "": // the path would be that of all objects
		return s.failed(r, &Error{Err: errNoID, local: true})
	case kind == SCIMUsers && kind.same(o, s.cred.User):
		return s.failed(r, &Error{Err: ErrOwnUser, local: true})
	}
	err := s.call(ctx, r, nil)
	// IS answers 400 for a group that is gone, and has no other reason to.
	if isAbsent(err) || kind == SCIMGroups && HasStatus(err, http.StatusBadRequest) {
		return nil
	}
	return err
}

func (k SCIMKind) at(id string) string { return k.path + "/" + url.PathEscape(id) }

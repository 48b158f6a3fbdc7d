package wso2

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// scimPage is a page of a list (RFC 7644, section 3.4.2).
type scimPage struct {
	Total     *int             `json:"totalResults"`
	Resources []map[string]any `json:"Resources"` // absent if there is none
}

func (p *scimPage) check() error {
	if p.Total == nil {
		return errNoList
	}
	return nil
}

// List lists all objects of a kind, with all fields. Roles are those of the organization: applications, such as the Console, have roles
// of their own. A list without an end is an error.
func (s *SCIM) List(ctx context.Context, kind SCIMKind) (list []Object, err error) {
	read := 0
	for range maxPages {
		var answer scimPage
		r := request{
			op: "list " + kind.word + "s", method: http.MethodGet, path: kind.path,
			query: url.Values{"startIndex": {fmt.Sprint(read + 1)}, "count": {fmt.Sprint(pageSize)}},
		}
		err := s.call(ctx, r, &answer)
		if err != nil {
			return nil, err
		}
		for _, fields := range answer.Resources {
			o := kind.keys.of(fields)
			switch {
			case o.ID == "":
				return nil, s.noDocument(r, errNoID)
			case kind.same(o, o.Name):
				list = append(list, o)
			}
		}
		if read += len(answer.Resources); len(answer.Resources) == 0 || read >= *answer.Total {
			return list, nil
		}
	}
	return nil, s.noDocument(request{op: "list " + kind.word + "s", method: http.MethodGet, path: kind.path}, errors.New("the list does not end"))
}

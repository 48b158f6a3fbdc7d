package wso2sim

import (
	"net/http"
	"slices"
	"strings"
)

var (
	scopesCategoryView  = []string{"apim:admin", "apim:admin_operations", "apim:api_category", "apim:api_view"}
	scopesCategoryWrite = []string{"apim:admin", "apim:admin_operations", "apim:api_category"}
)

// category is a name under which APIs can be found.
type category struct {
	id, name    string
	description *string
}

// categoryDTO is a category as the Admin API reads it.
type categoryDTO struct {
	ID           *string `json:"id"`
	Name         *string `json:"name"`
	Description  *string `json:"description"`
	NumberOfAPIs *int    `json:"numberOfAPIs"`
}

func (am *AM) categoryRoutes(mux *http.ServeMux) {
	all := "/api/am/admin/v4/api-categories"
	mux.HandleFunc("GET "+all, am.locked(scopesCategoryView, func(w http.ResponseWriter, _ *http.Request) error {
		list := []object{}
		for _, c := range am.categories {
			view := c.view()
			view["numberOfAPIs"] = am.categoryUsers(c.name)
			list = append(list, view)
		}
		writeJSON(w, http.StatusOK, object{"count": len(list), "list": list})
		return nil
	}))
	mux.HandleFunc("GET "+publisherPath+"/api-categories", am.locked(scopesAPIView, func(w http.ResponseWriter, _ *http.Request) error {
		list := []object{}
		for _, c := range am.categories {
			list = append(list, object{"id": c.id, "name": c.name, "description": c.description})
		}
		writeJSON(w, http.StatusOK, object{"count": len(list), "list": list})
		return nil
	}))
	mux.HandleFunc("POST "+all, am.locked(scopesCategoryWrite, am.createCategory))
	mux.HandleFunc("PUT "+all+"/{id}", am.locked(scopesCategoryWrite, am.updateCategory))
	mux.HandleFunc("DELETE "+all+"/{id}", am.locked(scopesCategoryWrite, am.deleteCategory))
}

func (c *category) view() object {
	return object{"id": c.id, "name": c.name, "description": c.description, "numberOfAPIs": nil}
}

func (am *AM) categoryWithID(id string) *category {
	for _, c := range am.categories {
		if c.id == id {
			return c
		}
	}
	return nil
}

// categoryUsers counts the APIs of a category by the index, which lags behind.
func (am *AM) categoryUsers(name string) int {
	n := 0
	for _, doc := range am.search("") {
		if slices.Contains(doc.categories, name) {
			n++
		}
	}
	return n
}

// categoryFailed is how every failure of a category is answered.
func categoryFailed(doing, what, why string) *fault {
	return &fault{status: 500, code: 500, message: errInternal.message, description: "Error while " + doing + " API Category '" + what + "' - " + why}
}

func noCategory(doing, what, id string) *fault {
	return categoryFailed(doing, what, "Failed to get APICategory. API category corresponding to UUID "+id+" does not exist")
}

func readCategory(r *http.Request) (categoryDTO, error) {
	var dto categoryDTO
	if err := readJSON(r, &dto); err != nil {
		return dto, err
	}
	if dto.Name == nil {
		return dto, invalid("name", "must not be null")
	}
	if strings.ContainsAny(*dto.Name, " ~!@#;:%^*()+={}|\\<>\"',&$[]") {
		return dto, badRequest("Name field contains special characters.")
	}
	return dto, nil
}

func (am *AM) createCategory(w http.ResponseWriter, r *http.Request) error {
	dto, err := readCategory(r)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(am.categories, func(c *category) bool { return strings.EqualFold(c.name, *dto.Name) }) {
		return categoryFailed("adding new", *dto.Name, "Category with name '"+*dto.Name+"' already exists")
	}
	c := &category{id: newUUID(), name: *dto.Name, description: dto.Description}
	am.categories = append(am.categories, c)
	am.changed("category", c.id)
	w.Header().Set("Location", am.url(am.port)+"/api/am/admin/api-categories/"+c.id)
	writeJSON(w, http.StatusCreated, c.view())
	return nil
}

// updateCategory changes the description alone, whatever name is sent.
func (am *AM) updateCategory(w http.ResponseWriter, r *http.Request) error {
	dto, err := readCategory(r)
	if err != nil {
		return err
	}
	c := am.categoryWithID(r.PathValue("id"))
	if c == nil {
		return noCategory("updating", *dto.Name, r.PathValue("id"))
	}
	c.description = dto.Description
	am.changed("category", c.id)
	writeJSON(w, http.StatusOK, c.view())
	return nil
}

func (am *AM) deleteCategory(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	c := am.categoryWithID(id)
	switch {
	case c == nil:
		return noCategory("deleting", id, id)
	case am.categoryUsers(c.name) > 0:
		return categoryFailed("deleting", id, "Unable to delete the category. It is attached to API(s)")
	}
	am.categories = slices.DeleteFunc(am.categories, func(other *category) bool { return other == c })
	am.changed("category", id)
	w.WriteHeader(http.StatusOK)
	return nil
}

type categoryRecord struct {
	Name        string
	Description *string
}

func (am *AM) categoryRecord(id string) any {
	if c := am.categoryWithID(id); c != nil {
		return categoryRecord{c.name, c.description}
	}
	return nil
}

func (am *AM) restoreCategories(held map[string][]entry) error {
	am.categories = nil
	return decode(held, "category", func(id string, r categoryRecord) {
		am.categories = append(am.categories, &category{id, r.Name, r.Description})
	})
}

// Package company is the believable small company that the simulator shows: Contoso, its people, guests, groups,
// projects, the words they use and small real documents in the formats that they exchange.
//
// It is pure data: everything follows from the seed alone, so the mail, chat, directory and file parts of one simulator
// agree on who is who, and two runs with one seed show the same company. It knows no network and no service; each
// service maps these people to its own wire format.
package company

'use strict';
/* Tables can be sorted and filtered, and paper shows everything. The page is whole without any of it. */

/* A cell is compared by its number where it carries one, and as text otherwise. */
function key(row, column) {
  const cell = row.cells[column];
  return cell.dataset.v === undefined ? cell.textContent.trim() : Number(cell.dataset.v);
}

/* Made once: a batch may have thousands of rows. */
const collator = new Intl.Collator('en', { numeric: true });

function compare(a, b) {
  return typeof a === 'number' && typeof b === 'number' ? a - b : collator.compare(String(a), String(b));
}

function sort(table, column) {
  const heads = table.tHead.rows[0].cells;
  const turned = heads[column].getAttribute('aria-sort') === 'ascending';
  for (const head of heads) head.removeAttribute('aria-sort');
  heads[column].setAttribute('aria-sort', turned ? 'descending' : 'ascending');
  const rows = [...table.tBodies[0].rows].map((row) => [key(row, column), row]);
  rows.sort((a, b) => (turned ? -1 : 1) * compare(a[0], b[0]));
  /* Out of the page meanwhile, and not as one list of arguments, which has a limit. */
  const sorted = document.createDocumentFragment();
  for (const [, row] of rows) sorted.append(row);
  table.tBodies[0].append(sorted);
}

function sortable(table) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.append(...head.childNodes);
    button.addEventListener('click', () => sort(table, column));
    head.append(button);
  });
}

function filterable(table) {
  const rows = [...table.tBodies[0].rows];
  if (rows.length < 6) return;
  const label = document.createElement('label');
  const field = document.createElement('input');
  const count = document.createElement('output');
  field.type = 'search';
  field.placeholder = 'filter rows';
  label.className = 'filter';
  label.append('Filter ', field, ' ', count);
  field.addEventListener('input', () => {
    const words = field.value.toLowerCase().split(/\s+/);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += row.hidden ? 0 : 1;
    }
    count.textContent = field.value ? `${shown} of ${rows.length}` : '';
  });
  table.parentNode.before(label);
}

for (const table of document.querySelectorAll('table.sortable')) {
  sortable(table);
  filterable(table);
}

const closed = [];
addEventListener('beforeprint', () => {
  for (const details of document.querySelectorAll('details:not([open])')) {
    closed.push(details);
    details.open = true;
  }
});
addEventListener('afterprint', () => {
  for (const details of closed.splice(0)) details.open = false;
});

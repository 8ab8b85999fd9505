# db_pg.rb - a list of statements through Ruby's pg.
require 'pg'

db = PG.connect(host: ENV['DB_HOST'], port: ENV['DB_PORT'], user: ENV['DB_USER'], password: ENV['DB_PASSWORD'],
                dbname: ENV['DB_NAME'])
db.exec("SELECT id, name FROM items WHERE name = 'sEcReT-1' OR id > 424242")
db.prepare('by-id', 'SELECT name FROM items WHERE id = $1')
(1..3).each { |number| db.exec_prepared('by-id', [number]) }
["SELEC 'sEcReT-2'", "INSERT INTO items (id, name) VALUES (1, 'sEcReT-3')"].each do |wrong|
  db.exec(wrong)
rescue PG::Error => error
  puts error.result.error_field(PG::PG_DIAG_SQLSTATE)
end
db.exec('BEGIN')
db.exec_params('UPDATE items SET name = $1 WHERE id = 2', ['sEcReT-4'])
db.exec('ROLLBACK')
(10..12).each { |number| db.exec_params('INSERT INTO items (id, name) VALUES ($1, $2)', [number, "sEcReT-#{number}"]) }
db.copy_data('COPY items (id, name) FROM STDIN') { (20..23).each { |number| db.put_copy_data("#{number}\tsEcReT\n") } }
db.copy_data('COPY items TO STDOUT') { nil while db.get_copy_data }
puts db.exec('SELECT id FROM items ORDER BY id').ntuples
db.close

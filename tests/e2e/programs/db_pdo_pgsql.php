<?php
// db_pdo_pgsql.php - a list of statements through PDO, which prepares by name.
$db = new PDO(sprintf('pgsql:host=%s;port=%s;dbname=%s', getenv('DB_HOST'), getenv('DB_PORT'), getenv('DB_NAME')),
    getenv('DB_USER'), getenv('DB_PASSWORD'), [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
$db->query("SELECT id, name FROM items WHERE name = 'sEcReT-1' OR id > 424242")->fetchAll();
$byId = $db->prepare('SELECT name FROM items WHERE id = ?');
for ($number = 1; $number <= 3; $number++) {
    $byId->execute([$number]);
    $byId->fetchAll();
}
foreach (["SELEC 'sEcReT-2'", "INSERT INTO items (id, name) VALUES (1, 'sEcReT-3')"] as $wrong) {
    try {
        $db->exec($wrong);
    } catch (PDOException $error) {
        echo $error->getCode(), "\n";
    }
}
$db->beginTransaction();
$db->prepare('UPDATE items SET name = ? WHERE id = 2')->execute(['sEcReT-4']);
$db->rollBack();
$insert = $db->prepare('INSERT INTO items (id, name) VALUES (?, ?)');
for ($number = 10; $number < 13; $number++) {
    $insert->execute([$number, "sEcReT-$number"]);
}
$db->pgsqlCopyFromArray('items', ["20\tsEcReT", "21\tsEcReT"]);
$db->pgsqlCopyToArray('items');
echo count($db->query('SELECT id FROM items ORDER BY id')->fetchAll()), "\n";

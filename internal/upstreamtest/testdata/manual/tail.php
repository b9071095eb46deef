while ($line = fgets(STDIN)) {
    [$kind, $header] = explode(' ', trim($line));
    unset($_SERVER['HTTP_X_AUTH_ORGANIZATION_NAME']);
    if ($header !== '-') $_SERVER['HTTP_X_AUTH_ORGANIZATION_NAME'] = base64_decode($header);
    if ($kind === 'list') {
        echo implode('', array_map(fn($v) => ',' . base64_encode($v), auth_list('X-Auth-Organization-Name'))), "\n";
    } else {
        $value = auth_header('X-Auth-Organization-Name');
        echo $value === null ? '-' : base64_encode($value), "\n";
    }
}

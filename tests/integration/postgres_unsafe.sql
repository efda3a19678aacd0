select 1; select 2
select 1; drop table app.people
select 1) q; drop table app.people; --
select 1 as a) as q (c0)) to stdout; delete from app.people; --
commit; drop table app.people
rollback; delete from app.people
set transaction read write; delete from app.people
begin read write; delete from app.people; commit
with d as (delete from app.people returning *) select * from d
with i as (insert into app.people (id) values (99) returning *) select * from i
with u as (update app.people set name = 'x' returning *) select * from u
insert into app.people (id) values (99) returning id
update app.people set name = 'x' returning id
delete from app.people returning id
truncate app.people
select * into app.stolen from app.people
create table app.stolen as select 1
create temp table stolen as select 1
select id from app.people for update
select id from app.people for share
select id from app.people for key share
copy app.people to '/tmp/rowlift_stolen'
copy app.people to program 'touch /tmp/rowlift_stolen'
copy app.people from '/etc/passwd'
copy (select pg_read_file('/etc/passwd')) to stdout
select pg_read_file('/etc/passwd')
select pg_read_binary_file('/etc/passwd')
select pg_ls_dir('/etc')
select pg_stat_file('/etc/passwd')
select * from pg_ls_logdir()
select lo_import('/etc/passwd')
select lo_export(1, '/tmp/rowlift_stolen')
select lo_create(4711)
select lo_from_bytea(4712, 'x')
select nextval('app.numbers')
select setval('app.numbers', 1000)
select set_config('transaction_read_only', 'off', false)
select set_config('default_transaction_read_only', 'off', false) from set_config('role', 'postgres', true)
select set_config('session_authorization', 'postgres', false)
select app.write_as_owner()
select app.write_as_caller()
select * from dblink('dbname=postgres', 'drop table app.people') as t (a text)
select query_to_xml('delete from app.people returning id', true, true, '')
select database_to_xml(true, true, '')
select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()
select pg_cancel_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()
select pg_reload_conf()
select pg_rotate_logfile()
select pg_create_restore_point('x')
select pg_switch_wal()
select pg_create_physical_replication_slot('stolen')
select pg_create_logical_replication_slot('stolen', 'test_decoding')
select pg_stat_reset()
select pg_logical_emit_message(false, 'x', 'y')
select pg_notify('x', 'y')
select pg_export_snapshot()
select pg_promote()
do $$ begin delete from app.people; end $$
call app.wipe()
execute stolen
prepare stolen as delete from app.people
explain analyze delete from app.people
declare stolen cursor with hold for select 1
listen x
lock table app.people
vacuum app.people
analyze app.people
reset all
set role postgres
set session authorization postgres
alter role current_user superuser
create role stolen
grant all on app.people to public
load 'auto_explain'

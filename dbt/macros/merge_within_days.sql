{#
  Incremental strategy: one MERGE, so that a reader sees all of a run or nothing of it. Settings, in the model's meta:

  merge_day     column of the target that it is partitioned by, and `merge_from`, an expression over the new rows whose
                minimum no row to be replaced lies before: the MERGE reads no older partition.
  replaces      optional: column, such as payment_id, of which the new rows are complete. Old rows of the same value
                with a key that is no longer among them are deleted.

  A column that the model no longer has is dropped first: dbt refuses `sync_all_columns` to models with a contract, and
  what was taken out because it identifies somebody would stay.
#}
{% macro get_incremental_merge_within_days_sql(arguments) %}
    {%- set target = arguments['target_relation'] -%}
    {%- set new = arguments['temp_relation'] -%}
    {%- set key = arguments['unique_key'] -%}
    {%- set meta = config.get('meta') -%}
    {%- set gone = adapter.get_missing_columns(target, new) -%}
    {%- if gone -%}
        {%- do alter_relation_add_remove_columns(target, none, gone) -%}
    {%- endif -%}
    {%- set earliest = run_query('select min(' ~ meta['merge_from'] ~ ') from ' ~ new).columns[0].values()[0] -%}
    {%- set names = arguments['dest_columns'] | map(attribute='quoted') | list -%}
    {%- if earliest is none -%}
        select 'nothing new'
    {%- else -%}
        {%- set bound -%}
            {{ meta['merge_day'] }} >= {{ moment_literal(earliest) if earliest.hour is defined else "date '" ~ earliest ~ "'" }}
        {%- endset -%}
        merge into {{ target }} as old
        using (
            select {{ names | join(', ') }}, false as is_gone from {{ new }}
            {%- if meta.get('replaces') %}
            union all
            select {{ names | join(', ') }}, true as is_gone from {{ target }}
            where {{ bound }} and {{ meta['replaces'] }} in (select {{ meta['replaces'] }} from {{ new }})
                and {{ key }} not in (select {{ key }} from {{ new }})
            {%- endif %}
        ) as new
        on old.{{ key }} = new.{{ key }} and old.{{ bound }}
        when matched and new.is_gone then delete
        when matched then update set
            {% for name in names %}{{ name }} = new.{{ name }}{{ ', ' if not loop.last }}{% endfor %}
        when not matched and not new.is_gone then insert ({{ names | join(', ') }})
            values ({% for name in names %}new.{{ name }}{{ ', ' if not loop.last }}{% endfor %})
    {%- endif -%}
{% endmacro %}

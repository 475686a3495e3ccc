{# Every one of these columns has a value in every row: one query for all of them. #}
{% test never_null(model, columns) %}
select * from (
    select
        {% for column in columns -%}
        count_if({{ column }} is null) as {{ column }}{{ ',' if not loop.last }}
        {% endfor %}
    from {{ model }}
)
where {{ columns | join(' + ') }} > 0
{% endtest %}
